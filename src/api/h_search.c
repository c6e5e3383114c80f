/*
 * h_search: POST /api/mcp/search.
 */
#include "api/cursor.h"
#include "api/errors.h"
#include "api/present.h"
#include "api/request.h"
#include "api/search_request.h"

static void write_object(struct api_request *q, struct json_writer *w, const struct search_request *s,
                         const struct select_result *r)
{
    char cursor[CURSOR_SIZE];

    json_object_begin(w);
    json_key(w, "customers");
    present_items(w, q->data, r->rows, r->count);
    json_kv_int(w, "count", (int64_t)r->count);
    json_kv_int(w, "total_matches", (int64_t)r->total_matches);
    json_kv_int(w, "limit", (int64_t)s->query.limit);
    json_kv_cstr(w, "sort_by", s->sort_by);
    if (r->more) {
        size_t n = cursor_encode(cursor, q->api->cursor_key, s->binding, &r->next);

        json_kv_str(w, "next_cursor", (struct str){ cursor, n });
    } else {
        json_kv_null(w, "next_cursor");
    }
    json_raw(w, (struct str){ q->data->stamp, q->data->stamp_bytes });
    json_object_end(w);
}

static void refuse_sort(struct api_request *q, struct str sort)
{
    const char *message = arena_printf(&q->http->arena, "Invalid sort_by: %.*s", (int)sort.len, sort.p);

    if (message == NULL)
        error_no_memory(q);
    else
        error_word(q, message, "sort_by", search_sort_words);
}

void h_search(struct api_request *q)
{
    struct search_request s;
    struct select_result r;
    struct json_writer w;
    struct params p;

    params_init(&p, &q->http->arena, q->http->head->query);
    search_request_read(&s, &p, q->body, q->data->population, q->api->cursor_key);
    if (p.count > 0) {
        error_validation(q, &p);
        return;
    }
    if (s.unknown_sort.p != NULL) {
        refuse_sort(q, s.unknown_sort);
        return;
    }
    if (!select_run(q->data->population, &s.query, &q->http->arena, &r)) {
        error_no_memory(q);
        return;
    }
    request_json_begin(q, &w);
    if (s.bare)
        present_items(&w, q->data, r.rows, r.count);
    else
        write_object(q, &w, &s, &r);
    request_json_end(q, 200);
}

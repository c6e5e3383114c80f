/*
 * sql_statements: the statement table as JSON, for the tests that ask PostgreSQL about its plans.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "data/sql.h"

int main(void)
{
    struct buf out = { .max_bytes = 1 << 20 };
    struct json_writer w;

    json_writer_init(&w, &out);
    json_array_begin(&w);
    for (int i = 0; i < SQL_COUNT; i++) {
        const struct pg_statement *s = sql_get((enum sql_id)i);

        json_object_begin(&w);
        json_kv_cstr(&w, "name", s->name);
        json_kv_cstr(&w, "sql", s->sql);
        json_kv_int(&w, "params", s->params);
        json_kv_bool(&w, "alone", s->alone);
        json_object_end(&w);
    }
    json_array_end(&w);
    puts(buf_cstr(&out));
    buf_free(&out);
    return 0;
}

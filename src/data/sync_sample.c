/*
 * sync_sample: see the header. The file holds the run id, a newline, and the array.
 */
#include "data/sync_sample.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "core/json.h"
#include "core/sys.h"

#define FILE_NAME "dry-run-sample"

bool sync_sample_write(const char *run_dir, int64_t run_id, struct str rows)
{
    struct buf out;
    int rc = -1;

    if (rows.len > SYNC_SAMPLE_MAX_BYTES) {
        errno = EFBIG;
        return false;
    }
    buf_init(&out, SYNC_SAMPLE_MAX_BYTES + 64);
    buf_add_i64(&out, run_id);
    buf_add_char(&out, '\n');
    buf_add_str(&out, rows);
    if (out.failed)
        errno = ENOMEM;
    else
        rc = sys_write_file(run_dir, FILE_NAME, out.data, out.len, 0600);
    buf_free(&out);
    return rc == 0;
}

/* The array in the file's text, if it is that of the run. */
static struct str find_rows(struct str text, int64_t run_id, struct arena *a)
{
    struct str rest = text, first;
    const struct json *rows;
    const char *why;
    int64_t owner;
    char *copy;

    if (!str_split(&rest, '\n', &first) || !str_to_i64(first, &owner) || owner != run_id)
        return STR_NONE;
    copy = arena_strdup(a, rest);
    if (copy == NULL)
        return STR_NONE;
    rest.p = copy;
    rows = json_parse(a, rest, &why);
    return rows != NULL && rows->type == JSON_ARRAY ? rest : STR_NONE;
}

struct str sync_sample_read(const char *run_dir, int64_t run_id, struct arena *a)
{
    char path[PATH_MAX];
    struct str rows;
    size_t n = 0;
    char *text;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", run_dir, FILE_NAME) >= sizeof(path))
        return STR_NONE;
    text = sys_read_file(path, SYNC_SAMPLE_MAX_BYTES + 64, &n);
    if (text == NULL)
        return STR_NONE;
    rows = find_rows((struct str){ text, n }, run_id, a);
    free(text);
    return rows;
}

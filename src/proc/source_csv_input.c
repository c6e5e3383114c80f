#include "proc/source_csv_input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MAX_FILES        10000
#define MAX_PATH_BYTES   4096
#define INFLATE_IN_BYTES 65536
#define GZIP_ANY_WINDOW  (15 + 16) /* zlib: gzip framing only, any window */

struct csv_input {
    char **paths; /* in reading order */
    size_t count, next;
    uint64_t total_bytes, taken_bytes;
    int fd; /* -1: none open */
    struct stat opened;
    bool gzip, inflating; /* inflating: inside a gzip member */
    z_stream z;
    unsigned char in[INFLATE_IN_BYTES]; /* also the first bytes of a plain file */
    size_t in_pos, in_len;
    bool in_end;
};

static void set_error(struct source_error *err, enum sb_reason reason, const char *what, const char *name,
                      const char *detail)
{
    err->reason = reason;
    snprintf(err->text, sizeof(err->text), "%s %.120s: %s", what, name, detail);
}

static enum sb_reason reason_of(int error)
{
    return error == ENOMEM ? SB_REASON_MEMORY : SB_REASON_SOURCE_QUERY;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);

    return n > m && strcmp(name + n - m, suffix) == 0;
}

static int is_csv_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && (ends_in(entry->d_name, ".csv") || ends_in(entry->d_name, ".csv.gz"));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_path(struct csv_input *in, const char *path, struct source_error *err)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        set_error(err, SB_REASON_SOURCE_CONNECT, "cannot read", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        set_error(err, SB_REASON_SOURCE_CONNECT, "cannot read", path, "not a regular file");
        return false;
    }
    char *copy = strdup(path);
    char **grown = realloc(in->paths, (in->count + 1) * sizeof(*grown));
    if (grown != NULL)
        in->paths = grown;
    if (copy == NULL || grown == NULL) {
        free(copy);
        set_error(err, SB_REASON_MEMORY, "cannot list", path, "out of memory");
        return false;
    }
    in->paths[in->count++] = copy;
    in->total_bytes += (uint64_t)st.st_size;
    return true;
}

static bool add_directory(struct csv_input *in, const char *path, struct source_error *err)
{
    struct dirent **list;
    char name[MAX_PATH_BYTES];
    int n = scandir(path, &list, is_csv_name, by_bytes);
    bool ok = n > 0 && n <= MAX_FILES;

    if (n < 0) {
        set_error(err, SB_REASON_SOURCE_CONNECT, "cannot list directory", path, strerror(errno));
        return false;
    }
    if (!ok)
        set_error(err, SB_REASON_SOURCE_CONNECT, "cannot use directory", path,
                  n == 0 ? "no *.csv or *.csv.gz file in it" : "more than 10000 files in it");
    for (int i = 0; i < n; i++) {
        if (ok && (size_t)snprintf(name, sizeof(name), "%s/%s", path, list[i]->d_name) >= sizeof(name)) {
            set_error(err, SB_REASON_SOURCE_CONNECT, "cannot use directory", path, "the path is too long");
            ok = false;
        }
        ok = ok && add_path(in, name, err);
        free(list[i]);
    }
    free(list);
    return ok;
}

struct csv_input *csv_input_new(const char *path, struct source_error *err)
{
    struct csv_input *in = calloc(1, sizeof(*in));
    struct stat st;

    if (in == NULL) {
        set_error(err, SB_REASON_MEMORY, "cannot read", path, "out of memory");
        return NULL;
    }
    in->fd = -1;
    bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (!(directory ? add_directory(in, path, err) : add_path(in, path, err))) {
        csv_input_free(in);
        return NULL;
    }
    return in;
}

static void close_file(struct csv_input *in)
{
    if (in->fd < 0)
        return;
    if (in->gzip)
        inflateEnd(&in->z);
    close(in->fd);
    in->fd = -1;
}

void csv_input_free(struct csv_input *in)
{
    if (in == NULL)
        return;
    close_file(in);
    for (size_t i = 0; i < in->count; i++)
        free(in->paths[i]);
    free(in->paths);
    free(in);
}

void csv_input_rewind(struct csv_input *in)
{
    close_file(in);
    in->next = 0;
    in->taken_bytes = 0;
}

const char *csv_input_name(const struct csv_input *in)
{
    if (in->next == 0)
        return "";
    const char *path = in->paths[in->next - 1], *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

size_t csv_input_file_count(const struct csv_input *in)
{
    return in->count;
}

uint64_t csv_input_total_bytes(const struct csv_input *in)
{
    return in->total_bytes;
}

uint64_t csv_input_taken_bytes(const struct csv_input *in)
{
    return in->taken_bytes;
}

/* A file that grew or was replaced under us is not the file we began with. */
static bool unchanged(const struct csv_input *in)
{
    struct stat now;

    return fstat(in->fd, &now) == 0 && now.st_size == in->opened.st_size &&
           now.st_mtim.tv_sec == in->opened.st_mtim.tv_sec && now.st_mtim.tv_nsec == in->opened.st_mtim.tv_nsec;
}

/* Bytes of the open file; 0 at its end, which sets in_end; -1: *err. */
static ssize_t read_file(struct csv_input *in, void *dst, size_t size, struct source_error *err)
{
    ssize_t n;

    do
        n = read(in->fd, dst, size);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        set_error(err, reason_of(errno), "cannot read", csv_input_name(in), strerror(errno));
        return -1;
    }
    if (n == 0 && !unchanged(in)) {
        set_error(err, SB_REASON_SOURCE_QUERY, "cannot use", csv_input_name(in),
                  "it changed while it was read; write it under another name and rename it");
        return -1;
    }
    in->in_end = n == 0;
    in->taken_bytes += (uint64_t)n;
    return n;
}

/* Refills `in`; false on an error. */
static bool fill(struct csv_input *in, struct source_error *err)
{
    ssize_t n = read_file(in, in->in, sizeof(in->in), err);

    in->in_pos = 0;
    in->in_len = n > 0 ? (size_t)n : 0;
    return n >= 0;
}

static bool begin_gzip(struct csv_input *in, struct source_error *err)
{
    memset(&in->z, 0, sizeof(in->z));
    if (inflateInit2(&in->z, GZIP_ANY_WINDOW) != Z_OK) {
        set_error(err, SB_REASON_MEMORY, "cannot read", csv_input_name(in), "no memory to decompress it");
        return false;
    }
    in->gzip = in->inflating = true;
    return true;
}

bool csv_input_next_file(struct csv_input *in, struct source_error *err)
{
    close_file(in);
    err->reason = SB_REASON_NONE;
    if (in->next == in->count)
        return false;
    in->next++;
    in->fd = open(in->paths[in->next - 1], O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &in->opened) != 0) {
        set_error(err, SB_REASON_SOURCE_CONNECT, "cannot open", csv_input_name(in), strerror(errno));
        close_file(in);
        return false;
    }
    in->gzip = in->inflating = in->in_end = false;
    if (!fill(in, err))
        return false;
    if (in->in_len >= 2 && in->in[0] == 0x1f && in->in[1] == 0x8b)
        return begin_gzip(in, err);
    return true;
}

/* First what was read to see whether it is compressed. */
static ssize_t read_plain(struct csv_input *in, char *dst, size_t size, struct source_error *err)
{
    size_t n = in->in_len - in->in_pos;

    if (n == 0)
        return in->in_end ? 0 : read_file(in, dst, size, err);
    if (n > size)
        n = size;
    memcpy(dst, in->in + in->in_pos, n);
    in->in_pos += n;
    return (ssize_t)n;
}

static ssize_t gzip_error(const struct csv_input *in, struct source_error *err, const char *detail)
{
    set_error(err, SB_REASON_SOURCE_QUERY, "cannot decompress", csv_input_name(in), detail);
    return -1;
}

/* One step of inflate; 0 when it only moved on, else as csv_input_read. */
static ssize_t inflate_some(struct csv_input *in, char *dst, size_t size, struct source_error *err)
{
    in->z.next_in = in->in + in->in_pos;
    in->z.avail_in = (uInt)(in->in_len - in->in_pos);
    in->z.next_out = (unsigned char *)dst;
    in->z.avail_out = (uInt)size;
    int rc = inflate(&in->z, Z_NO_FLUSH);
    in->in_pos = in->in_len - in->z.avail_in;
    if (rc == Z_STREAM_END)
        in->inflating = false;
    else if (rc == Z_MEM_ERROR)
        return gzip_error(in, err, "out of memory");
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return gzip_error(in, err, in->z.msg != NULL ? in->z.msg : "damaged");
    return (ssize_t)(size - in->z.avail_out);
}

static ssize_t read_gzip(struct csv_input *in, char *dst, size_t size, struct source_error *err)
{
    for (;;) {
        if (in->inflating) { /* first what zlib still holds, with or without input */
            ssize_t n = inflate_some(in, dst, size, err);
            if (n != 0)
                return n;
        }
        if (in->in_pos == in->in_len && !in->in_end && !fill(in, err))
            return -1;
        if (in->in_end)
            return in->inflating ? gzip_error(in, err, "the compressed file ends too early") : 0;
        if (!in->inflating) { /* another member follows */
            if (inflateReset(&in->z) != Z_OK)
                return gzip_error(in, err, "damaged");
            in->inflating = true;
        }
    }
}

ssize_t csv_input_read(struct csv_input *in, char *dst, size_t size, struct source_error *err)
{
    if (in->fd < 0 || size == 0)
        return 0;
    if (size > INFLATE_IN_BYTES)
        size = INFLATE_IN_BYTES;
    return in->gzip ? read_gzip(in, dst, size, err) : read_plain(in, dst, size, err);
}

/*
 * slo_file: see the header.
 */
#include "core/slo_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hash.h"

#define CHECK_SEED 0x534c4f31 /* "SLO1": raised with every change of struct slo_bucket */

static uint32_t check_of(const struct slo_bucket *b)
{
    return (uint32_t)hash_fast(CHECK_SEED, b, offsetof(struct slo_bucket, check));
}

static int file_open(const char *dir, int flags)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/" SLO_FILE_NAME, dir);

    if (n < 0 || n >= (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static bool load(struct slo_ring *r, const char *dir, int64_t now_s)
{
    int fd = file_open(dir, O_RDONLY);
    struct slo_bucket b;
    ssize_t n = 0;

    if (fd < 0)
        return errno == ENOENT;
    for (unsigned i = 0; i < SLO_BUCKETS; i++) {
        n = pread(fd, &b, sizeof(b), (off_t)(i * sizeof(b)));
        if (n != (ssize_t)sizeof(b))
            break;
        if (b.number % SLO_BUCKETS == i && b.check == check_of(&b))
            slo_restore(r, &b, now_s);
    }
    (void)close(fd);
    return n >= 0;
}

bool slo_file_load(struct slo_ring *r, const char *dir, int64_t now_s)
{
    bool ok;

    atomic_store(&r->loaded, SLO_LOADING);
    ok = load(r, dir, now_s);
    atomic_store(&r->loaded, SLO_LOADED);
    return ok;
}

static bool write_bucket(int fd, const struct slo_ring *r, unsigned place)
{
    struct slo_bucket b = r->buckets[place]; /* the caller is its writer */
    ssize_t n;

    b.check = check_of(&b);
    n = pwrite(fd, &b, sizeof(b), (off_t)(place * sizeof(b)));
    if (n >= 0 && n != (ssize_t)sizeof(b))
        errno = ENOSPC;
    return n == (ssize_t)sizeof(b);
}

/* Buckets that cannot be written stay unsaved. */
static bool write_changed(int fd, struct slo_ring *r)
{
    for (unsigned place = 0; place < SLO_BUCKETS; place++) {
        uint64_t *word = &r->unsaved[place / 64], bit = 1ULL << place % 64;

        if (!(*word & bit))
            continue;
        if (!write_bucket(fd, r, place))
            return false;
        *word &= ~bit;
    }
    return true;
}

static bool anything_changed(const struct slo_ring *r)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < SLO_UNSAVED; i++)
        any |= r->unsaved[i];
    return any != 0;
}

bool slo_file_save(struct slo_ring *r, const char *dir)
{
    int fd, error;
    bool ok;

    if (!anything_changed(r))
        return true;
    fd = file_open(dir, O_WRONLY | O_CREAT);
    if (fd < 0)
        return false;
    error = posix_fallocate(fd, 0, (off_t)sizeof(r->buckets));
    ok = error == 0 || error == EOPNOTSUPP || error == EINVAL;
    if (!ok)
        errno = error;
    ok = ok && write_changed(fd, r);
    error = errno;
    (void)close(fd);
    errno = error;
    return ok;
}

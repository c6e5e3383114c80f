/*
 * scoreboard_file: making, publishing and mapping the scoreboard's file, of this layout and of others.
 */
#include "core/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "core/metrics.h"

#define SB_NAME              "scoreboard"
#define SB_COMMON_BYTES      offsetof(struct scoreboard, secret)
#define SB_SLOT_COMMON_BYTES offsetof(struct sb_slot, rss_bytes)

static bool path_of(char dst[PATH_MAX], const char *dir, const char *suffix)
{
    int n = snprintf(dst, PATH_MAX, "%s/" SB_NAME "%s", dir, suffix);

    if (n > 0 && n < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

static bool header_init(struct scoreboard *sb, const char *version)
{
    sb->layout = SB_LAYOUT;
    sb->slot_count = SB_SLOTS;
    sb->size_bytes = sizeof(*sb);
    sb->counters_hash = metrics_layout_hash();
    sb->slots_offset = offsetof(struct scoreboard, slots);
    sb->slot_bytes = sizeof(struct sb_slot);
    sb_text_set(&sb->version, "%s", version);
    atomic_store(&sb->started_us, clock_wall_us());
    for (unsigned i = 0; i < SB_COMPONENT_COUNT; i++)
        atomic_store(&sb->checks[i].latency_us, -1);
    sb->sync.rows_written = sb->sync.rows_estimated = -1;
    if (!rng_secret(sb->secret, sizeof(sb->secret))) {
        errno = EIO;
        return false;
    }
    sb->magic = SB_MAGIC;
    return true;
}

static struct scoreboard *fill_file(int fd, const char *version)
{
    struct scoreboard *sb;

    errno = posix_fallocate(fd, 0, (off_t)sizeof(*sb));
    if (errno != 0)
        return NULL;
    sb = mmap(NULL, sizeof(*sb), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (sb == MAP_FAILED)
        return NULL;
    if (!header_init(sb, version)) {
        scoreboard_close(sb);
        return NULL;
    }
    return sb;
}

struct scoreboard *scoreboard_make(const char *dir, const char *version, int *fd)
{
    char path[PATH_MAX];
    struct scoreboard *sb;
    int saved;

    if (!path_of(path, dir, ".new") || (unlink(path) != 0 && errno != ENOENT))
        return NULL;
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (*fd < 0)
        return NULL;
    sb = fill_file(*fd, version);
    if (sb != NULL)
        return sb;
    saved = errno;
    close(*fd);
    (void)unlink(path);
    errno = saved;
    return NULL;
}

bool scoreboard_publish(const char *dir)
{
    char path[PATH_MAX], made[PATH_MAX];

    return path_of(path, dir, "") && path_of(made, dir, ".new") && rename(made, path) == 0;
}

void scoreboard_discard(const char *dir)
{
    char path[PATH_MAX];

    if (path_of(path, dir, ".new"))
        (void)unlink(path);
}

struct scoreboard *scoreboard_create(const char *dir, const char *version)
{
    int fd, saved;
    struct scoreboard *sb = scoreboard_make(dir, version, &fd);

    if (sb == NULL)
        return NULL;
    close(fd);
    if (scoreboard_publish(dir))
        return sb;
    saved = errno;
    scoreboard_close(sb);
    scoreboard_discard(dir);
    errno = saved;
    return NULL;
}

struct scoreboard *scoreboard_make_private(const char *version)
{
    int fd = memfd_create(SB_NAME, MFD_CLOEXEC);
    struct scoreboard *sb;
    int saved;

    if (fd < 0)
        return NULL;
    sb = fill_file(fd, version);
    saved = errno;
    close(fd);
    errno = saved;
    return sb;
}

static bool header_matches(const struct scoreboard *sb)
{
    return sb->layout == SB_LAYOUT && sb->slot_count == SB_SLOTS && sb->size_bytes == sizeof(*sb);
}

bool scoreboard_is_own_layout(const struct scoreboard *sb)
{
    return header_matches(sb) && sb->counters_hash == metrics_layout_hash();
}

/* Is what every layout has in common there, and do the slots lie within the file? */
static bool header_makes_sense(const struct scoreboard *sb, size_t bytes)
{
    uint64_t at = sb->slots_offset, each = sb->slot_bytes;

    return sb->magic == SB_MAGIC && sb->size_bytes == bytes && at % 64 == 0 && each % 64 == 0 &&
           at >= SB_COMMON_BYTES && at <= bytes && each >= SB_SLOT_COMMON_BYTES &&
           sb->slot_count <= (bytes - at) / each;
}

static struct scoreboard *map_any(int fd, int protection, size_t *bytes)
{
    struct scoreboard *sb;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return NULL;
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)SB_COMMON_BYTES) {
        errno = EPROTO;
        return NULL;
    }
    *bytes = (size_t)st.st_size;
    sb = mmap(NULL, *bytes, protection, MAP_SHARED, fd, 0);
    if (sb == MAP_FAILED)
        return NULL;
    if (header_makes_sense(sb, *bytes))
        return sb;
    (void)munmap(sb, *bytes);
    errno = EPROTO;
    return NULL;
}

struct scoreboard *scoreboard_map_any(int fd, size_t *bytes)
{
    return map_any(fd, PROT_READ | PROT_WRITE, bytes);
}

static int open_file(const char *dir, bool writable)
{
    char path[PATH_MAX];

    if (!path_of(path, dir, ""))
        return -1;
    return open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

int scoreboard_descriptor(const char *dir)
{
    return open_file(dir, true);
}

static struct scoreboard *open_any(const char *dir, bool writable, size_t *bytes)
{
    struct scoreboard *sb;
    int fd = open_file(dir, writable), saved;

    if (fd < 0)
        return NULL;
    sb = map_any(fd, writable ? PROT_READ | PROT_WRITE : PROT_READ, bytes);
    saved = errno;
    close(fd);
    errno = saved;
    return sb;
}

struct scoreboard *scoreboard_open_any(const char *dir, size_t *bytes)
{
    return open_any(dir, false, bytes);
}

struct scoreboard *scoreboard_open(const char *dir, bool writable)
{
    size_t bytes;
    struct scoreboard *sb = open_any(dir, writable, &bytes);

    if (sb == NULL || header_matches(sb))
        return sb;
    (void)munmap(sb, bytes);
    errno = EPROTO;
    return NULL;
}

struct sb_slot *scoreboard_slot(struct scoreboard *sb, unsigned i)
{
    return (struct sb_slot *)((char *)sb + sb->slots_offset + i * sb->slot_bytes);
}

void scoreboard_close(struct scoreboard *sb)
{
    if (sb != NULL)
        (void)munmap(sb, sizeof(*sb));
}

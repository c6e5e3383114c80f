/*
 * sys: /proc, limits and small files.
 *
 * Everything read is text the kernel wrote, taken whole into a bounded buffer;
 * what cannot be read is reported as unknown, never as an error.
 */
#include "core/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_TEXT_BYTES 4096

/* Reads /proc/PID/NAME; pid 0 is this process. False when it is gone. */
static bool read_proc(pid_t pid, const char *name, char dst[PROC_TEXT_BYTES])
{
    char path[64];
    ssize_t n;
    int fd;

    if (pid == 0)
        (void)snprintf(path, sizeof(path), "/proc/self/%s", name);
    else
        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, dst, PROC_TEXT_BYTES - 1);
    close(fd);
    if (n <= 0)
        return false;
    dst[n] = '\0';
    return true;
}

unsigned sys_cpu_count(void)
{
    double quota = sys_cgroup_cpu_quota("");
    unsigned cpus = 1;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        cpus = (unsigned)CPU_COUNT(&set);
    else if (sysconf(_SC_NPROCESSORS_ONLN) > 0)
        cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (quota > 0 && ceil(quota) < cpus)
        cpus = (unsigned)ceil(quota);
    return cpus > 0 ? cpus : 1;
}

/* Pages resident and shared of /proc/PID/statm. */
static bool read_statm(pid_t pid, uint64_t *resident, uint64_t *shared)
{
    char text[PROC_TEXT_BYTES];
    unsigned long long size, r, s;

    if (!read_proc(pid, "statm", text) || sscanf(text, "%llu %llu %llu", &size, &r, &s) != 3)
        return false;
    *resident = r;
    *shared = s;
    return true;
}

uint64_t sys_rss_bytes(pid_t pid)
{
    uint64_t resident, shared;

    if (!read_statm(pid, &resident, &shared))
        return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t sys_private_rss_bytes(void)
{
    uint64_t resident, shared;

    if (!read_statm(0, &resident, &shared) || resident < shared)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The fields of /proc/PID/stat behind the command, which may itself hold blanks and brackets. */
static const char *read_stat(pid_t pid, char text[PROC_TEXT_BYTES])
{
    const char *end;

    if (!read_proc(pid, "stat", text))
        return NULL;
    end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end + 2 : NULL;
}

char sys_process_state(pid_t pid)
{
    char text[PROC_TEXT_BYTES];
    const char *fields = read_stat(pid, text);

    return fields != NULL ? fields[0] : '\0';
}

/* User and system ticks of the process, and of the children it has waited for. False when it is gone. */
static bool read_ticks(pid_t pid, unsigned long long own[2], unsigned long long children[2])
{
    char text[PROC_TEXT_BYTES];
    const char *fields = read_stat(pid, text);

    return fields != NULL && sscanf(fields, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
                                    &own[0], &own[1], &children[0], &children[1]) == 4;
}

double sys_cpu_seconds(pid_t pid)
{
    unsigned long long own[2], children[2];

    if (!read_ticks(pid, own, children))
        return 0;
    return (double)(own[0] + own[1]) / (double)sysconf(_SC_CLK_TCK);
}

double sys_reaped_cpu_seconds(pid_t pid)
{
    unsigned long long own[2], children[2];

    if (!read_ticks(pid, own, children))
        return 0;
    return (double)(children[0] + children[1]) / (double)sysconf(_SC_CLK_TCK);
}

unsigned sys_open_fds(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    DIR *dir;

    if (pid == 0)
        pid = getpid();
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        count += e->d_name[0] != '.';
    closedir(dir);
    if (pid == getpid() && count > 0)
        count--; /* the directory itself */
    return count;
}

uint64_t sys_raise_fd_limit(void)
{
    struct rlimit limit, raised;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    return limit.rlim_cur;
}

int64_t sys_oom_kill_count(void)
{
    return sys_cgroup_oom_kill_count("");
}

bool sys_set_oom_score_adj(int value)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", value);
    bool done;

    if (fd < 0)
        return false;
    done = write(fd, text, (size_t)n) == n;
    close(fd);
    return done;
}

bool sys_make_dir(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return false;
    if (stat(path, &st) != 0)
        return false;
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return false;
    }
    return access(path, W_OK | X_OK) == 0;
}

static int write_all(int fd, const char *data, size_t n, bool synced)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        data += done;
        n -= (size_t)done;
    }
    return synced ? fsync(fd) : 0;
}

/* Writes and closes a new file NAME of the open directory. */
static int write_new(int dir_fd, const char *name, const void *data, size_t n, mode_t mode, bool synced)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    int saved;

    if (fd < 0)
        return -1;
    if (fchmod(fd, mode) != 0 || write_all(fd, data, n, synced) != 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return close(fd);
}

static int replace_file(int dir_fd, const char *name, const void *data, size_t n, mode_t mode, bool synced)
{
    char temporary[NAME_MAX + 1];
    int len = snprintf(temporary, sizeof(temporary), ".%s.%d.new", name, (int)getpid());
    int saved;

    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (write_new(dir_fd, temporary, data, n, mode, synced) == 0 && renameat(dir_fd, temporary, dir_fd, name) == 0)
        return synced ? fsync(dir_fd) : 0;
    saved = errno;
    (void)unlinkat(dir_fd, temporary, 0);
    errno = saved;
    return -1;
}

static int write_file(const char *dir, const char *name, const void *data, size_t n, mode_t mode, bool synced)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc, saved;

    if (dir_fd < 0)
        return -1;
    rc = replace_file(dir_fd, name, data, n, mode, synced);
    saved = errno;
    close(dir_fd);
    errno = saved;
    return rc;
}

int sys_write_file(const char *dir, const char *name, const void *data, size_t n, mode_t mode)
{
    return write_file(dir, name, data, n, mode, true);
}

int sys_write_file_unsynced(const char *dir, const char *name, const void *data, size_t n, mode_t mode)
{
    return write_file(dir, name, data, n, mode, false);
}

/* Reads to the end or past the limit; -1 with errno. */
static ssize_t read_all(int fd, char *dst, size_t max_bytes)
{
    size_t len = 0;

    while (len <= max_bytes) {
        ssize_t n = read(fd, dst + len, max_bytes + 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            return (ssize_t)len;
        len += (size_t)n;
    }
    errno = EFBIG;
    return -1;
}

char *sys_read_file(const char *path, size_t max_bytes, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text;
    ssize_t len;
    int saved;

    if (fd < 0)
        return NULL;
    text = malloc(max_bytes + 1);
    len = text != NULL ? read_all(fd, text, max_bytes) : -1;
    saved = errno;
    close(fd);
    if (len < 0) {
        free(text);
        errno = saved;
        return NULL;
    }
    text[len] = '\0';
    if (n != NULL)
        *n = (size_t)len;
    return text;
}

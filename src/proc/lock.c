/*
 * lock: see lock.h. Nothing else may open the file in the master: closing any
 * descriptor of it would drop the lock.
 */
#include "proc/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define LOCK_NAME "patrond.lock"

static int lock_open(const char *run_dir, int flags)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/" LOCK_NAME, run_dir);

    if (n < 0 || n >= (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
}

static pid_t lock_query(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(fd, F_GETLK, &lock) != 0)
        return -1;
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

static void lock_write_pid(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    /* For people who look into the file; nothing depends on it. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        log_debug("cannot write the pid into " LOCK_NAME ": %s", strerror(errno));
}

int lock_take(const char *run_dir, char *why, size_t why_size)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = lock_open(run_dir, O_RDWR | O_CREAT);

    if (fd < 0) {
        snprintf(why, why_size, "cannot open %s/" LOCK_NAME ": %s", run_dir, strerror(errno));
        return -1;
    }
    if (fcntl(fd, F_SETLK, &lock) == 0) {
        lock_write_pid(fd);
        return fd;
    }
    if (errno == EACCES || errno == EAGAIN)
        snprintf(why, why_size,
                 "another patrond (pid %ld) runs with RUN_DIR %s; stop it first, or give this one its own RUN_DIR",
                 (long)lock_query(fd), run_dir);
    else
        snprintf(why, why_size, "cannot lock %s/" LOCK_NAME ": %s", run_dir, strerror(errno));
    close(fd);
    return -1;
}

pid_t lock_holder(const char *run_dir)
{
    int fd = lock_open(run_dir, O_RDONLY);
    pid_t pid;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    pid = lock_query(fd);
    close(fd);
    return pid;
}

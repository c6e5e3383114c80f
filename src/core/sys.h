/*
 * sys: what Linux tells about this machine and process, and the few things we ask of it.
 */
#ifndef CORE_SYS_H
#define CORE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* CPUs of the process's affinity, limited by the cgroup's quota (v1 and v2) rounded up, at least 1. */
unsigned sys_cpu_count(void);
/* Resident bytes of a process from /proc/PID/statm (0: unknown); pid 0 = self. */
uint64_t sys_rss_bytes(pid_t pid);
/* Private resident bytes: resident minus shared pages of /proc/self/statm. */
uint64_t sys_private_rss_bytes(void);
/* State letter of /proc/PID/stat ('R', 'S', 'T', …), 0 when it is gone. */
char sys_process_state(pid_t pid);
/* User plus system CPU seconds used by a process so far (0: unknown). */
double sys_cpu_seconds(pid_t pid);
/* The same of its children that have ended and been waited for. */
double sys_reaped_cpu_seconds(pid_t pid);
unsigned sys_open_fds(pid_t pid); /* 0: unknown */
/* Raises the soft limit of open files to the hard one and returns what holds then. */
uint64_t sys_raise_fd_limit(void);
/* Kills by the kernel's OOM killer counted by this process's memory cgroup (v2 memory.events, v1
 * memory.oom_control); -1 when there is none. */
int64_t sys_oom_kill_count(void);
/* The same two questions of the tree under `root` ("" is the running system): its /proc/self/cgroup and
 * /sys/fs/cgroup. The quota is the smallest of the cgroup and its parents, in CPUs; 0: none. */
double sys_cgroup_cpu_quota(const char *root);
int64_t sys_cgroup_oom_kill_count(const char *root);
bool sys_set_oom_score_adj(int value);
/*
 * Process title. sys_title_init must see main's argv before anything else reads it (the environment is
 * moved away to make room); the title shows in ps as given.
 */
void sys_title_init(int argc, char **argv);
void sys_title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* mkdir -p for one level with the mode; true when it exists afterwards and is ours to write. */
bool sys_make_dir(const char *path, mode_t mode);
/* Writes `data` to dir/name via a temporary name, fsync and rename; -1 with errno. */
int sys_write_file(const char *dir, const char *name, const void *data, size_t n, mode_t mode);
/* The same without fsync, for processes that must not wait for a disk: after a power failure the file may be the
 * old one, empty or cut. */
int sys_write_file_unsynced(const char *dir, const char *name, const void *data, size_t n, mode_t mode);
/* Reads a whole small file (EFBIG past max_bytes) into a malloc'ed, NUL-terminated text; NULL with errno. `n` may be
 * NULL. */
char *sys_read_file(const char *path, size_t max_bytes, size_t *n);

#endif

/*
 * sys_cgroup: the CPU quota and the OOM kills of this process's control group, for version 2, version 1 and both
 * mixed.
 *
 * /proc/self/cgroup names the group of each hierarchy; inside a container that
 * path may not exist below /sys/fs/cgroup, whose root is then the group itself.
 * A quota binds through every parent, so the walk goes up to the root.
 */
#include "core/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define CGROUP_FILE_BYTES 8192

/* Is `controller` one of the comma separated list? The empty list is the one hierarchy of version 2. */
static bool lists_controller(struct str list, const char *controller)
{
    struct str piece;

    if (*controller == '\0')
        return list.len == 0;
    while (str_split(&list, ',', &piece)) {
        if (str_eq_lit(piece, controller))
            return true;
    }
    return false;
}

/* The path of this process in the hierarchy of `controller` ("" is version 2); false when it is not mounted. */
static bool group_path(const char *root, const char *controller, char path[PATH_MAX])
{
    char file[PATH_MAX];
    char *text;
    struct str rest, line, number, list;
    bool found = false;

    (void)snprintf(file, sizeof(file), "%s/proc/self/cgroup", root);
    text = sys_read_file(file, CGROUP_FILE_BYTES, NULL);
    if (text == NULL)
        return false;
    rest = str_from(text);
    while (!found && str_split(&rest, '\n', &line)) {
        if (str_split(&line, ':', &number) && str_split(&line, ':', &list) && lists_controller(list, controller))
            found = str_copy(path, PATH_MAX, line);
    }
    free(text);
    return found && path[0] == '/' && strstr(path, "..") == NULL;
}

/* Reads FILE of the group at `path` below a mount point; NULL when there is none. The caller frees. */
static char *group_read(const char *root, const char *mount, const char *path, const char *name)
{
    char file[PATH_MAX];
    int n = snprintf(file, sizeof(file), "%s/sys/fs/cgroup%s%s/%s", root, mount, strcmp(path, "/") == 0 ? "" : path,
                     name);

    if (n < 0 || (size_t)n >= sizeof(file))
        return NULL;
    return sys_read_file(file, CGROUP_FILE_BYTES, NULL);
}

/* Cuts the last step of the path; false at the root. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash == NULL || path[1] == '\0')
        return false;
    if (slash == path)
        slash++;
    *slash = '\0';
    return true;
}

/* "max 100000" or "150000 100000" as CPUs; 0: no limit. */
static double quota_of_cpu_max(const char *text)
{
    long long quota, period;

    if (sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return 0;
    return (double)quota / (double)period;
}

static double group_quota_v2(const char *root, const char *mount, const char *path)
{
    char *text = group_read(root, mount, path, "cpu.max");
    double quota = text != NULL ? quota_of_cpu_max(text) : 0;

    free(text);
    return quota;
}

static double group_quota_v1(const char *root, const char *mount, const char *path)
{
    char *quota = group_read(root, mount, path, "cpu.cfs_quota_us");
    char *period = group_read(root, mount, path, "cpu.cfs_period_us");
    int64_t q, p;
    double cpus = 0;

    if (quota != NULL && period != NULL) {
        quota[strcspn(quota, "\n")] = '\0';
        period[strcspn(period, "\n")] = '\0';
        if (str_to_i64(str_from(quota), &q) && str_to_i64(str_from(period), &p) && q > 0 && p > 0)
            cpus = (double)q / (double)p;
    }
    free(quota);
    free(period);
    return cpus;
}

typedef double (*quota_fn)(const char *root, const char *mount, const char *path);

static double smallest_quota(const char *root, const char *mount, const char *controller, quota_fn quota_of)
{
    char path[PATH_MAX];
    double least = 0;

    if (!group_path(root, controller, path))
        return 0;
    do {
        double quota = quota_of(root, mount, path);

        if (quota > 0 && (least <= 0 || quota < least))
            least = quota;
    } while (go_up(path));
    return least;
}

double sys_cgroup_cpu_quota(const char *root)
{
    double quota = smallest_quota(root, "", "", group_quota_v2);

    if (quota <= 0)
        quota = smallest_quota(root, "/unified", "", group_quota_v2);
    if (quota <= 0)
        quota = smallest_quota(root, "/cpu", "cpu", group_quota_v1);
    return quota;
}

/* The number behind "oom_kill " at the start of a line; -1 when there is none. */
static int64_t oom_kills_of(const char *text)
{
    struct str rest = str_from(text), line, word;
    int64_t kills;

    while (str_split(&rest, '\n', &line)) {
        if (str_split(&line, ' ', &word) && str_eq_lit(word, "oom_kill") && str_to_i64(line, &kills) && kills >= 0)
            return kills;
    }
    return -1;
}

static int64_t group_oom_kills(const char *root, const char *mount, const char *controller, const char *name)
{
    char path[PATH_MAX];
    char *text = NULL;
    int64_t kills;

    if (group_path(root, controller, path))
        text = group_read(root, mount, path, name);
    if (text == NULL)
        text = group_read(root, mount, "/", name);
    if (text == NULL)
        return -1;
    kills = oom_kills_of(text);
    free(text);
    return kills;
}

int64_t sys_cgroup_oom_kill_count(const char *root)
{
    int64_t kills = group_oom_kills(root, "", "", "memory.events");

    if (kills < 0)
        kills = group_oom_kills(root, "/memory", "memory", "memory.oom_control");
    return kills;
}

/*
 * doctor_machine: what the server takes from the machine: descriptors and disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/sys.h"
#include "ctl/doctor.h"

#define LIMITS_BYTES   8192
#define SPARE_FDS      128 /* beyond the connections of one worker: database, Redis, Claude, files */
#define FEW_BYTES      (100ULL << 20)
#define LITTLE_PERCENT 5

/* The soft limit of open files of a process; -1: unknown. */
static int64_t open_files_limit(pid_t pid)
{
    char path[64], *text, *line;
    long long soft = -1;

    (void)snprintf(path, sizeof(path), "/proc/%ld/limits", (long)pid);
    text = sys_read_file(path, LIMITS_BYTES, NULL);
    line = text != NULL ? strstr(text, "Max open files") : NULL;
    if (line == NULL || sscanf(line, "Max open files %lld", &soft) != 1)
        soft = -1;
    free(text);
    return soft;
}

static void examine_descriptors(struct doctor *d)
{
    int64_t limit = open_files_limit(d->ctl->master);
    int64_t workers = (int64_t)atomic_load(&d->ctl->sb->workers);
    int64_t needed = d->ctl->conf->max_connections / (workers > 0 ? workers : 1) + SPARE_FDS;

    if (limit < 0)
        return;
    if (limit < needed)
        doctor_say(d, DOCTOR_WARNING, "descriptors", "Raise LimitNOFILE= of the unit, or lower MAX_CONNECTIONS.",
                   "a worker may open %lld files, its share of MAX_CONNECTIONS needs %lld", (long long)limit,
                   (long long)needed);
    else
        doctor_ok(d, "descriptors", "%lld for each process", (long long)limit);
}

static void examine_disk(struct doctor *d, const char *name, const char *path)
{
    struct statvfs fs;
    uint64_t free_bytes;
    unsigned percent;

    if (statvfs(path, &fs) != 0) {
        doctor_say(d, DOCTOR_FAILED, name, "Make the directory, owned by the user of the server.", "%s: %s", path,
                   strerror(errno));
        return;
    }
    free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    percent = fs.f_blocks > 0 ? (unsigned)(100 * fs.f_bavail / fs.f_blocks) : 100;
    if (free_bytes < FEW_BYTES || (fs.f_files > 0 && fs.f_favail == 0))
        doctor_say(d, DOCTOR_FAILED, name, "Free space there; a sync that finds none fails and changes nothing.",
                   "%s: %llu MB free", path, (unsigned long long)(free_bytes >> 20));
    else if (percent < LITTLE_PERCENT)
        doctor_say(d, DOCTOR_WARNING, name, "Free space there before it is used up.", "%s: %u %% free", path,
                   percent);
    else
        doctor_ok(d, name, "%s: %llu MB free", path, (unsigned long long)(free_bytes >> 20));
}

void doctor_machine(struct doctor *d)
{
    examine_disk(d, "state_dir", d->ctl->conf->state_dir);
    examine_disk(d, "run_dir", d->ctl->conf->run_dir);
    if (d->running)
        examine_descriptors(d);
}

/*
 * alert_file: see the header.
 */
#include "proc/alert_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

#define CHECK_SEED  0x414c5254 /* "ALRT": raised with every change of struct record */
#define RECORDS_MAX 64         /* of any version */
#define SENDING     "sending"  /* the record of the message under way */
#define WEBHOOK     "webhook"  /* the record of whom it was told to, in the place of a time */

struct record {
    char name[40]; /* filled up with zeros */
    int64_t since_s, paid_off_s;
    uint64_t check;
};
_Static_assert(sizeof(struct record) == 64, "a record never crosses a disk sector");

static uint64_t check_of(const struct record *r)
{
    return hash_fast(CHECK_SEED, r, offsetof(struct record, check));
}

static int file_open(const char *dir, int flags)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/" ALERT_FILE_NAME, dir);

    if (n < 0 || n >= (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static void take(struct alert_board *board, const struct record *r)
{
    if (r->check != check_of(r) || r->name[sizeof(r->name) - 1] != '\0')
        return;
    if (strcmp(r->name, SENDING) == 0)
        board->sending_until_s = r->since_s;
    if (strcmp(r->name, WEBHOOK) == 0)
        board->webhook = (uint64_t)r->since_s;
    for (unsigned i = 0; i < ALERT_COUNT; i++) {
        if (strcmp(r->name, alerts_table[i].name) == 0) {
            board->told[i].since_s = r->since_s;
            board->told[i].paid_off_s = r->paid_off_s;
        }
    }
}

bool alert_file_load(struct alert_board *board, const char *dir)
{
    struct record records[RECORDS_MAX];
    int fd = file_open(dir, O_RDONLY);
    ssize_t n;

    *board = (struct alert_board){ 0 };
    if (fd < 0)
        return errno == ENOENT;
    n = pread(fd, records, sizeof(records), 0);
    (void)close(fd);
    for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(records[0]); i++)
        take(board, &records[i]);
    return n >= 0;
}

static struct record record_of(const char *name, int64_t since_s, int64_t paid_off_s)
{
    struct record r = { .since_s = since_s, .paid_off_s = paid_off_s };

    (void)snprintf(r.name, sizeof(r.name), "%s", name);
    r.check = check_of(&r);
    return r;
}

bool alert_file_save(const struct alert_board *board, const char *dir)
{
    struct record records[RECORDS_MAX] = { 0 }; /* the whole file: records of other versions go */
    int fd = file_open(dir, O_WRONLY | O_CREAT), error;
    ssize_t n = -1;

    _Static_assert(ALERT_COUNT + 2 <= RECORDS_MAX, "each alert needs its record");
    if (fd < 0)
        return false;
    for (unsigned i = 0; i < ALERT_COUNT; i++)
        records[i] = record_of(alerts_table[i].name, board->told[i].since_s, board->told[i].paid_off_s);
    records[ALERT_COUNT] = record_of(SENDING, board->sending_until_s, 0);
    records[ALERT_COUNT + 1] = record_of(WEBHOOK, (int64_t)board->webhook, 0);
    error = posix_fallocate(fd, 0, (off_t)sizeof(records));
    if (error == 0 || error == EOPNOTSUPP || error == EINVAL) {
        n = pwrite(fd, records, sizeof(records), 0);
        error = n < 0 ? errno : ENOSPC;
    }
    (void)close(fd);
    errno = error;
    return n == (ssize_t)sizeof(records);
}

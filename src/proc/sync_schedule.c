/*
 * sync_schedule: see the header.
 */
#include "proc/sync_schedule.h"

#define DAY_US  (86400LL * 1000000)
#define HOUR_US (3600LL * 1000000)

int64_t sync_schedule_after(int64_t now_us, int hour)
{
    int64_t today = now_us - now_us % DAY_US + hour * HOUR_US;

    return today > now_us ? today : today + DAY_US;
}

/* A time far in the future was taken from a clock that was wrong. */
static int64_t believed(int64_t then_us, int64_t now_us)
{
    return then_us <= now_us + HOUR_US ? then_us : 0;
}

int64_t sync_schedule_next(int64_t now_us, int hour, int64_t last_success_us, int64_t last_failure_us)
{
    int64_t next = sync_schedule_after(now_us, hour), previous = next - DAY_US;

    last_success_us = believed(last_success_us, now_us);
    last_failure_us = believed(last_failure_us, now_us);
    if (last_success_us >= previous)
        return next;
    if (last_failure_us <= last_success_us || last_failure_us == 0)
        return now_us;
    int64_t retry = last_failure_us + SYNC_RETRY_S * 1000000LL;
    return retry < next ? retry : next;
}

bool sync_schedule_plan_holds(int64_t now_us, int64_t due_us)
{
    return due_us <= now_us + DAY_US;
}

int64_t sync_schedule_rescore(int64_t now_us, int hour)
{
    int64_t begin = now_us - now_us % DAY_US, latest = DAY_US - HOUR_US / 2;
    int64_t after_run = (hour + 1) * HOUR_US;

    if (hour == SYNC_NO_DAILY_RUN)
        return begin;
    return begin + (after_run < latest ? after_run : latest);
}

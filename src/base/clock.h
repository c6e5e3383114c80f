/*
 * clock: the two clocks, and proleptic Gregorian dates as day numbers.
 *
 * A day number counts days since 1970-01-01 (UTC). Nothing here reads a time zone.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define CLOCK_NS_PER_S 1000000000ULL
#define CLOCK_US_PER_S 1000000LL
#define CLOCK_NO_DAY   INT32_MIN

uint64_t clock_mono_ns(void);   /* CLOCK_MONOTONIC, comparable between processes of one boot */
uint64_t clock_coarse_ns(void); /* the same clock, to a few milliseconds, cheaper */
uint64_t clock_boot_ns(void);   /* since boot, with the time the machine was suspended */
int64_t clock_wall_us(void);    /* microseconds since the epoch, UTC */
int32_t clock_today(void);      /* day number, UTC */

int32_t clock_day_of(int year, int month, int day);
void clock_civil_of(int32_t day, int *year, int *month, int *mday);
int32_t clock_day_of_us(int64_t us); /* of a time in microseconds since 1970 */
/* So many calendar months earlier; the 31st becomes the last day of a shorter month. */
int32_t clock_months_before(int32_t day, unsigned months);
int clock_weekday_of(int32_t day); /* 0 = Monday … 6 = Sunday */
/* Strict YYYY-MM-DD, years 0001..9999, only days that exist. */
bool clock_parse_day(struct str s, int32_t *day);
/* YYYY-MM-DD, optionally followed by [T ]hh:mm:ss[.f{1,9}][Z]: microseconds since the epoch, cut not rounded. */
bool clock_parse_time(struct str s, int64_t *us);
/* The date of HTTP, "Sun, 06 Nov 1994 08:49:37 GMT": seconds since the epoch. The name of the day is not looked at.
 */
bool clock_parse_http_date(struct str s, int64_t *seconds);

#define CLOCK_DAY_SIZE  11 /* "2025-11-03" */
#define CLOCK_TIME_SIZE 28 /* "2025-11-03T08:15:30.654425Z" */
/* Each returns its dst, always terminated. Days outside the years 0001..9999 print as the nearer end. */
char *clock_format_day(char dst[CLOCK_DAY_SIZE], int32_t day);
char *clock_format_us(char dst[CLOCK_TIME_SIZE], int64_t us);      /* with .ffffff */
char *clock_format_seconds(char dst[CLOCK_TIME_SIZE], int64_t us); /* whole seconds */

#endif

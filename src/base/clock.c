/*
 * clock: civil arithmetic on day numbers (eras of 400 years, years beginning in March), strict parsing, fixed-width
 * printing. Days outside 0001-01-01 … 9999-12-31 print as the nearer end.
 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#define US_PER_DAY   (86400 * CLOCK_US_PER_S)
#define DAYS_PER_ERA 146097
#define EPOCH_SHIFT  719468 /* days from 0000-03-01 to 1970-01-01 */
#define DAY_LEAST    (-719162)
#define DAY_MOST     2932896

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_coarse_ns(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_wall_us(void)
{
    return (int64_t)(read_ns(CLOCK_REALTIME) / 1000);
}

static int64_t day_of_us(int64_t us)
{
    return us >= 0 ? us / US_PER_DAY : -((-(us + 1)) / US_PER_DAY) - 1;
}

int32_t clock_today(void)
{
    return (int32_t)day_of_us(clock_wall_us());
}

int32_t clock_day_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = (y >= 0 ? y : y - 399) / 400;
    int year_of_era = y - era * 400;
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_PER_ERA + day_of_era - EPOCH_SHIFT;
}

void clock_civil_of(int32_t day, int *year, int *month, int *mday)
{
    int64_t z = (int64_t)day + EPOCH_SHIFT;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int day_of_era = (int)(z - era * DAYS_PER_ERA);
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int march_month = (5 * day_of_year + 2) / 153;

    *mday = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = (int)(era * 400) + year_of_era + (*month <= 2);
}

int32_t clock_day_of_us(int64_t us)
{
    const int64_t per_day = 86400 * CLOCK_US_PER_S;

    return (int32_t)((us - (us % per_day + per_day) % per_day) / per_day);
}

int32_t clock_months_before(int32_t day, unsigned months)
{
    int year, month, mday, count;
    int32_t first;

    clock_civil_of(day, &year, &month, &mday);
    count = year * 12 + (month - 1) - (int)months;
    year = count / 12;
    month = count % 12 + 1;
    first = clock_day_of(year, month, 1);
    count = (int)(clock_day_of(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) - first);
    return first + (mday < count ? mday : count) - 1;
}

int clock_weekday_of(int32_t day)
{
    int64_t shifted = ((int64_t)day + 3) % 7; /* day 0 was a Thursday */

    return (int)(shifted < 0 ? shifted + 7 : shifted);
}

static bool take_number(struct str *s, size_t digits, int *out)
{
    int v = 0;

    if (s->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    s->p += digits;
    s->len -= digits;
    *out = v;
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (s->len == 0 || s->p[0] != c)
        return false;
    s->p++;
    s->len--;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_day(struct str *s, int32_t *day)
{
    int y, m, d;

    if (!take_number(s, 4, &y) || !take_char(s, '-') || !take_number(s, 2, &m) || !take_char(s, '-') ||
        !take_number(s, 2, &d))
        return false;
    if (y < 1 || m < 1 || m > 12 || d < 1 || d > days_in_month(y, m))
        return false;
    *day = clock_day_of(y, m, d);
    return true;
}

bool clock_parse_day(struct str s, int32_t *day)
{
    int32_t d;

    if (!take_day(&s, &d) || s.len != 0)
        return false;
    *day = d;
    return true;
}

/* Digits of a fraction of a second, cut to microseconds. */
static bool take_fraction(struct str *s, int *us)
{
    int v = 0;
    size_t n = 0;

    for (; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        if (n < 6)
            v = v * 10 + (s->p[n] - '0');
    if (n < 1 || n > 9)
        return false;
    for (size_t i = n; i < 6; i++)
        v *= 10;
    s->p += n;
    s->len -= n;
    *us = v;
    return true;
}

static bool take_time_of_day(struct str *s, int64_t *us)
{
    int h, m, sec, fraction = 0;

    if (!take_number(s, 2, &h) || !take_char(s, ':') || !take_number(s, 2, &m) || !take_char(s, ':') ||
        !take_number(s, 2, &sec))
        return false;
    if (h > 23 || m > 59 || sec > 59)
        return false;
    if (take_char(s, '.') && !take_fraction(s, &fraction))
        return false;
    take_char(s, 'Z');
    *us = ((h * 60 + m) * 60 + sec) * CLOCK_US_PER_S + fraction;
    return true;
}

bool clock_parse_time(struct str s, int64_t *us)
{
    int32_t day;
    int64_t within = 0;

    if (!take_day(&s, &day))
        return false;
    if ((take_char(&s, 'T') || take_char(&s, ' ')) && !take_time_of_day(&s, &within))
        return false;
    if (s.len != 0)
        return false;
    *us = day * US_PER_DAY + within;
    return true;
}

/* Writes v in so many digits; returns the end. */
static char *put_digits(char *dst, unsigned v, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        dst[i - 1] = (char)('0' + v % 10);
        v /= 10;
    }
    return dst + digits;
}

static char *put_day(char *dst, int64_t day)
{
    int y, m, d;

    day = day < DAY_LEAST ? DAY_LEAST : day > DAY_MOST ? DAY_MOST : day;
    clock_civil_of((int32_t)day, &y, &m, &d);
    dst = put_digits(dst, (unsigned)y, 4);
    *dst++ = '-';
    dst = put_digits(dst, (unsigned)m, 2);
    *dst++ = '-';
    return put_digits(dst, (unsigned)d, 2);
}

char *clock_format_day(char dst[CLOCK_DAY_SIZE], int32_t day)
{
    *put_day(dst, day) = '\0';
    return dst;
}

/* Everything up to the seconds; returns the end, and the microseconds left. */
static char *put_seconds(char *dst, int64_t us, unsigned *fraction)
{
    int64_t day = day_of_us(us);
    int64_t within = us % US_PER_DAY;

    within += within < 0 ? US_PER_DAY : 0;
    unsigned s = (unsigned)(within / CLOCK_US_PER_S);
    *fraction = (unsigned)(within % CLOCK_US_PER_S);
    dst = put_day(dst, day);
    *dst++ = 'T';
    dst = put_digits(dst, s / 3600, 2);
    *dst++ = ':';
    dst = put_digits(dst, s / 60 % 60, 2);
    *dst++ = ':';
    return put_digits(dst, s % 60, 2);
}

char *clock_format_us(char dst[CLOCK_TIME_SIZE], int64_t us)
{
    unsigned fraction;
    char *end = put_seconds(dst, us, &fraction);

    *end++ = '.';
    end = put_digits(end, fraction, 6);
    memcpy(end, "Z", 2);
    return dst;
}

char *clock_format_seconds(char dst[CLOCK_TIME_SIZE], int64_t us)
{
    unsigned fraction;
    char *end = put_seconds(dst, us, &fraction);

    memcpy(end, "Z", 2);
    return dst;
}

/* `n` digits at p. */
static bool digits_at(const char *p, size_t n, int *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *out = 10 * *out + (p[i] - '0');
    }
    return true;
}

bool clock_parse_http_date(struct str s, int64_t *seconds)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int mday, month = 0, year, hour, minute, second, y, m, d;
    int32_t day;

    if (s.len != 29 || memcmp(s.p + 3, ", ", 2) != 0 || memcmp(s.p + 25, " GMT", 4) != 0)
        return false;
    while (month < 12 && memcmp(s.p + 8, months + 3 * month, 3) != 0)
        month++;
    if (month == 12 || !digits_at(s.p + 5, 2, &mday) || !digits_at(s.p + 12, 4, &year) ||
        !digits_at(s.p + 17, 2, &hour) || !digits_at(s.p + 20, 2, &minute) || !digits_at(s.p + 23, 2, &second) ||
        year < 1 || mday < 1 || hour > 23 || minute > 59 || second > 60)
        return false;
    day = clock_day_of(year, month + 1, mday);
    clock_civil_of(day, &y, &m, &d);
    *seconds = ((int64_t)day * 24 + hour) * 3600 + minute * 60 + second;
    return d == mday;
}

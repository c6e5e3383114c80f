/*
 * fmt: digits two at a time; decimals by scaling.
 *
 * Scaling by a power of ten is off by at most 2^-51 of the result (half an ulp for the product, half an ulp
 * between a value and its decimal text), so only a fraction that near to one half needs the
 * decimal text itself. That text is the shortest of 15, 16 and 17 digits that reads back.
 */
#include "base/fmt.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXED_LIMIT  1e15
#define MAX_DECIMALS 6

static const uint64_t powers_of_ten[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

size_t fmt_u64(char *dst, uint64_t v)
{
    char text[20];
    size_t at = sizeof(text);

    while (v >= 100) {
        at -= 2;
        memcpy(text + at, digit_pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        at -= 2;
        memcpy(text + at, digit_pairs + 2 * v, 2);
    } else {
        text[--at] = (char)('0' + v);
    }
    memcpy(dst, text + at, sizeof(text) - at);
    return sizeof(text) - at;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

size_t fmt_i64(char *dst, int64_t v)
{
    if (v >= 0)
        return fmt_u64(dst, (uint64_t)v);
    dst[0] = '-';
    return 1 + fmt_u64(dst + 1, magnitude(v));
}

size_t fmt_cents_text(char *dst, int64_t cents)
{
    uint64_t v = magnitude(cents);
    size_t n = 0;

    if (cents < 0)
        dst[n++] = '-';
    n += fmt_u64(dst + n, v / 100);
    dst[n++] = '.';
    memcpy(dst + n, digit_pairs + 2 * (v % 100), 2);
    return n + 2;
}

size_t fmt_cents(char *dst, int64_t cents)
{
    size_t n = fmt_cents_text(dst, cents);

    return dst[n - 1] == '0' ? n - 1 : n;
}

/* A rounded magnitude: whole + part / 10^decimals. */
struct rounded {
    uint64_t whole, part;
};

static void add_one(struct rounded *r, int decimals)
{
    if (++r->part < powers_of_ten[decimals])
        return;
    r->part = 0;
    r->whole++;
}

/* Writes the shortest text of v > 0 as d.ddde±x into `text`. */
static void shortest_scientific(char text[FMT_MAX], double v)
{
    for (int precision = 14; precision <= 16; precision++) {
        snprintf(text, FMT_MAX, "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            return;
    }
}

/* Is what the digits say beyond position `from` above, at or below one half? 1, 0, -1. */
static int compare_half(const char *digits, int count, int from)
{
    if (from < 0 || from >= count || digits[from] < '5')
        return -1;
    if (digits[from] > '5')
        return 1;
    for (int i = from + 1; i < count; i++)
        if (digits[i] != '0')
            return 1;
    return 0;
}

/* Rounds 0 < v < FIXED_LIMIT on its decimal text. */
static struct rounded round_by_text(double v, int decimals)
{
    char text[FMT_MAX], digits[FMT_MAX];
    int count = 0, at = 0;
    struct rounded r = { 0, 0 };

    shortest_scientific(text, v);
    for (; text[at] != '\0' && text[at] != 'e'; at++)
        if (text[at] != '.')
            digits[count++] = text[at];
    int point = (int)strtol(text + at + 1, NULL, 10) + 1; /* digits before the decimal point */

    for (int i = 0; i < point; i++)
        r.whole = r.whole * 10 + (i < count ? (uint64_t)(digits[i] - '0') : 0);
    for (int i = point; i < point + decimals; i++)
        r.part = r.part * 10 + (i >= 0 && i < count ? (uint64_t)(digits[i] - '0') : 0);

    int half = compare_half(digits, count, point + decimals);
    bool odd = ((decimals > 0 ? r.part : r.whole) & 1) != 0;
    if (half > 0 || (half == 0 && odd))
        add_one(&r, decimals);
    return r;
}

/* Rounds 0 <= v < FIXED_LIMIT. */
static struct rounded round_decimals(double v, int decimals)
{
    double scaled = v * (double)powers_of_ten[decimals];

    if (scaled >= FIXED_LIMIT)
        return round_by_text(v, decimals);

    uint64_t n = (uint64_t)scaled;
    double fraction = scaled - (double)n, doubt = scaled * 0x1p-51;
    if (fabs(fraction - 0.5) <= doubt)
        return round_by_text(v, decimals);
    n += fraction > 0.5;
    return (struct rounded){ n / powers_of_ten[decimals], n % powers_of_ten[decimals] };
}

static int clamp_decimals(int decimals)
{
    return decimals < 0 ? 0 : decimals > MAX_DECIMALS ? MAX_DECIMALS : decimals;
}

/* ".part" in so many digits without trailing zeros, but at least one digit. */
static size_t put_part(char *dst, uint64_t part, int decimals)
{
    int digits = decimals > 0 ? decimals : 1;
    size_t n = (size_t)digits + 1;

    dst[0] = '.';
    for (int i = digits; i > 0; i--) {
        dst[i] = (char)('0' + part % 10);
        part /= 10;
    }
    while (n > 2 && dst[n - 1] == '0')
        n--;
    return n;
}

static size_t put_general(char *dst, double v, int precision)
{
    char text[FMT_MAX];
    int n = snprintf(text, sizeof(text), "%.*g", precision, v);

    memcpy(dst, text, (size_t)n);
    return (size_t)n;
}

size_t fmt_fixed(char *dst, double v, int decimals)
{
    size_t n = 0;

    decimals = clamp_decimals(decimals);
    if (!isfinite(v))
        v = 0;
    if (fabs(v) >= FIXED_LIMIT)
        return put_general(dst, v, 17);

    struct rounded r = round_decimals(fabs(v), decimals);
    if (v < 0 && (r.whole | r.part) != 0)
        dst[n++] = '-';
    n += fmt_u64(dst + n, r.whole);
    return n + put_part(dst + n, r.part, decimals);
}

/*
 * Coordinates and their like: at most six decimals and 15 digits, so the text is the shortest, and dividing gives the
 * same double as reading it. 0: it is another number.
 */
static size_t put_six_decimals(char *dst, double v)
{
    const uint64_t scale = 1000000;
    double magnitude = fabs(v);
    size_t n = 0;

    if (magnitude < 1e-4 || magnitude >= 1e9) /* behind these %g writes an exponent, or there are more digits */
        return 0;
    uint64_t scaled = (uint64_t)(magnitude * (double)scale + 0.5);
    if ((double)scaled / (double)scale != magnitude)
        return 0;
    if (v < 0)
        dst[n++] = '-';
    n += fmt_u64(dst + n, scaled / scale);
    uint64_t part = scaled % scale;
    if (part == 0)
        return n;
    dst[n++] = '.';
    for (size_t i = 6; i > 0; i--, part /= 10)
        dst[n + i - 1] = (char)('0' + part % 10);
    n += 6;
    while (dst[n - 1] == '0')
        n--;
    return n;
}

size_t fmt_double(char *dst, double v)
{
    char text[FMT_MAX];

    if (!isfinite(v))
        v = 0;
    if (fabs(v) < FIXED_LIMIT && v == (double)(int64_t)v && !signbit(v))
        return fmt_u64(dst, (uint64_t)v);
    size_t plain = put_six_decimals(dst, v);
    if (plain > 0)
        return plain;
    for (int precision = 15; precision < 17; precision++) {
        size_t n = put_general(text, v, precision);
        text[n] = '\0';
        if (strtod(text, NULL) == v) {
            memcpy(dst, text, n);
            return n;
        }
    }
    return put_general(dst, v, 17);
}

/*
 * Nine digits are within 2^-27 of the value, scaling included; half the distance of two floats is 2^-25 of it or
 * more. The powers of ten are far inside the range of doubles.
 */
size_t fmt_float(char *dst, float v)
{
    double magnitude = fabs((double)v);
    size_t n = 0;

    if (!isfinite(v) || v == 0) {
        dst[0] = '0';
        return 1;
    }
    int exponent = (int)floor(log10(magnitude)) - 8;
    double power = pow(10, abs(exponent)), digits = exponent < 0 ? magnitude * power : magnitude / power;
    if (v < 0)
        dst[n++] = '-';
    n += fmt_u64(dst + n, (uint64_t)(digits + 0.5));
    dst[n++] = 'e';
    return n + fmt_i64(dst + n, exponent);
}

double fmt_round(double v, int decimals)
{
    char text[FMT_MAX + 1];

    decimals = clamp_decimals(decimals);
    if (!isfinite(v))
        return 0;
    if (fabs(v) >= FIXED_LIMIT)
        return v;

    struct rounded r = round_decimals(fabs(v), decimals);
    if (r.whole < (1U << 30)) {
        double scale = (double)powers_of_ten[decimals];
        double exact = (double)(r.whole * powers_of_ten[decimals] + r.part) / scale;
        return v < 0 ? -exact : exact;
    }
    text[fmt_fixed(text, v, decimals)] = '\0';
    return strtod(text, NULL);
}

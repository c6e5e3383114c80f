/*
 * str: text to numbers. All of the slice is the number, or the answer is false and *out is untouched.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define DOUBLE_TEXT_BYTES 128
#define CENTS_MOST        9200000000000000000ULL

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes a leading sign off *s; true if it was a minus. */
static bool take_sign(struct str *s)
{
    if (s->len == 0 || (s->p[0] != '-' && s->p[0] != '+'))
        return false;

    bool negative = s->p[0] == '-';
    s->p++;
    s->len--;
    return negative;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.p[i]))
            return false;
        if (__builtin_mul_overflow(v, 10U, &v) || __builtin_add_overflow(v, (unsigned)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = take_sign(&s);
    uint64_t v;

    if (!str_to_u64(s, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    if (!negative)
        *out = (int64_t)v;
    else
        *out = v > INT64_MAX ? INT64_MIN : -(int64_t)v;
    return true;
}

/* Length of the digits at the front. */
static size_t digits_at(struct str s, size_t from)
{
    size_t i = from;

    while (i < s.len && is_digit(s.p[i]))
        i++;
    return i - from;
}

/* digits[.digits*][e[+-]digits] or .digits[e…], without a sign. */
static bool is_decimal(struct str s)
{
    size_t i = digits_at(s, 0), digits = i;

    if (i < s.len && s.p[i] == '.') {
        size_t more = digits_at(s, ++i);
        i += more;
        digits += more;
    }
    if (digits == 0)
        return false;
    if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.len && (s.p[i] == '-' || s.p[i] == '+'))
            i++;
        size_t exponent = digits_at(s, i);
        if (exponent == 0)
            return false;
        i += exponent;
    }
    return i == s.len;
}

bool str_to_double(struct str s, double *out)
{
    char text[DOUBLE_TEXT_BYTES];
    bool negative = take_sign(&s);

    if (!is_decimal(s) || !str_copy(text, sizeof(text), s))
        return false;

    double v = strtod(text, NULL);
    if (!isfinite(v))
        return false;
    *out = negative ? -v : v;
    return true;
}

bool str_to_bool(struct str s, bool *out)
{
    static const char *const words[] = { "false", "no", "off", "0", "true", "yes", "on", "1" };

    for (size_t i = 0; i < 8; i++) {
        if (str_ieq(s, words[i])) {
            *out = i >= 4;
            return true;
        }
    }
    return false;
}

/* How the digits behind the hundredths round `cents`, half to even. */
static bool rounds_up(const char *rest, size_t n, uint64_t cents)
{
    if (n == 0 || rest[0] < '5')
        return false;
    if (rest[0] > '5')
        return true;
    for (size_t i = 1; i < n; i++)
        if (rest[i] != '0')
            return true;
    return (cents & 1) != 0;
}

bool str_to_cents(struct str s, int64_t *out)
{
    bool negative = take_sign(&s);
    size_t whole = digits_at(s, 0), fraction = 0;
    bool point = whole < s.len && s.p[whole] == '.';
    uint64_t cents = 0;

    if (point)
        fraction = digits_at(s, whole + 1);
    if (whole + fraction == 0 || whole + fraction + point != s.len)
        return false;

    for (size_t i = 0; i < whole + 2; i++) {
        unsigned digit = 0;
        if (i < whole)
            digit = (unsigned)(s.p[i] - '0');
        else if (i - whole < fraction)
            digit = (unsigned)(s.p[i + 1] - '0');
        cents = cents * 10 + digit;
        if (cents > CENTS_MOST / 10 && i + 1 < whole + 2)
            return false;
    }
    if (fraction > 2 && rounds_up(s.p + whole + 3, fraction - 2, cents))
        cents++;
    if (cents > CENTS_MOST)
        return false;
    *out = negative ? -(int64_t)cents : (int64_t)cents;
    return true;
}

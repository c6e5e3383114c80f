/*
 * fmt: numbers as the contract prints them, fast and without locale.
 *
 * Rounding is half to even on the shortest decimal text of the value (so 2.675 to
 * two decimals is 2.68, a tie by its text, though its binary value lies below). A result of zero has no sign.
 * Each returns the length written, at most FMT_MAX; no NUL is added. NaN and infinities are the caller's bug:
 * printed as 0.
 */
#ifndef BASE_FMT_H
#define BASE_FMT_H

#include <stddef.h>
#include <stdint.h>

#define FMT_MAX 32

size_t fmt_u64(char *dst, uint64_t v);
size_t fmt_i64(char *dst, int64_t v);
/* Hundredths as a JSON number with trailing zeros cut but one: 500 -> "5.0", 3328 -> "33.28", -5 -> "-0.05". */
size_t fmt_cents(char *dst, int64_t cents);
/* At most `decimals` (0..6) decimals, trailing zeros cut but one: 0.5 -> "0.5", 106 -> "106.0", 0 -> "0.0".
 * Magnitudes from 1e15 on print as %.17g. */
size_t fmt_fixed(char *dst, double v, int decimals);
/* Always exactly two decimals: "18.69", "5.00" (decimal strings of the contract). */
size_t fmt_cents_text(char *dst, int64_t cents);
/* Shortest text of 15, 16 or 17 digits that reads back as the same double; whole numbers have no point. */
size_t fmt_double(char *dst, double v);
/* A text of nine digits that reads back as the same float, with an exponent: 0.25 -> "250000000e-9"; what is not
 * finite is 0. */
size_t fmt_float(char *dst, float v);
/* The double nearest to v with so many decimals, half to even (for comparing with what was printed). */
double fmt_round(double v, int decimals);

#endif

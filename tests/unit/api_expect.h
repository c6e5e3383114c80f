/*
 * api_expect: what tests of answers say again and again. Each fails the test in words.
 */
#ifndef TESTS_API_EXPECT_H
#define TESTS_API_EXPECT_H

#include "api_engine.h"

double num(const struct json *j, const char *path); /* the number there */
/* The text there, as written. */
void expect(const struct json *j, const char *path, const char *text);
/* Two names of one value that is not null. */
void expect_same(const struct json *j, const char *path, const char *alias);
void expect_near(double a, double b, double tolerance);
/* The body of a GET that answers 200. */
const struct json *good(struct fixture *f, const char *target);
/* A call of a tool by POST /api/mcp/query; `parameters` is its JSON, of at most 4,000 bytes. */
const struct answer *query(struct fixture *f, const char *tool, const char *parameters);
void expect_status(struct fixture *f, const char *target, int status, const char *message);
/* A text in static memory, until the next call. */
char *target_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

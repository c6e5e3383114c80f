/*
 * api_expect: see the header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api_expect.h"

double num(const struct json *j, const char *path)
{
    const struct json *n = json_at(j, path);
    double v = 0;

    if (n == NULL || !json_double(n, &v))
        fail_msg("%s is no number: %s", path, json_text(j, path));
    return v;
}

void expect(const struct json *j, const char *path, const char *text)
{
    if (strcmp(json_text(j, path), text) != 0)
        fail_msg("%s is %s, expected %s", path, json_text(j, path), text);
}

void expect_same(const struct json *j, const char *path, const char *alias)
{
    assert_int_not_equal(json_at(j, path)->type, JSON_NULL);
    assert_string_equal(json_text(j, path), json_text(j, alias));
    assert_int_equal(json_at(j, path)->type, json_at(j, alias)->type);
}

void expect_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.6f is not %.6f", a, b);
}

const struct json *good(struct fixture *f, const char *target)
{
    const struct answer *a = get(f, target);

    if (a->status != 200)
        fail_msg("%s: %d %.*s", target, a->status, (int)a->body.len, a->body.p);
    return answer_json(a);
}

const struct answer *query(struct fixture *f, const char *tool, const char *parameters)
{
    char body[4096];

    snprintf(body, sizeof(body), "{\"tool_name\": \"%s\", \"parameters\": %s}", tool, parameters);
    return post(f, "/api/mcp/query", body);
}

void expect_status(struct fixture *f, const char *target, int status, const char *message)
{
    const struct answer *a = get(f, target);

    if (a->status != status)
        fail_msg("%s: %d, expected %d", target, a->status, status);
    expect(answer_json(a), "error.message", message);
}

char *target_of(const char *fmt, ...)
{
    static char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return text;
}

/*
 * population_test: see the header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "population_test.h"

const char *dir;
char why[512];

int test_dir_make(void **state)
{
    (void)state;
    dir = fixture_dir_make();
    return dir ? 0 : -1;
}

int test_dir_remove(void **state)
{
    (void)state;
    fixture_dir_remove(dir);
    return 0;
}

struct population *make(const struct fixture_shape *shape, uint64_t version)
{
    struct population *p;

    if (!fixture_write(dir, shape, version, why, sizeof(why)))
        fail_msg("write: %s", why);
    p = population_open(dir, version, why, sizeof(why));
    if (p == NULL)
        fail_msg("open: %s", why);
    return p;
}

void path_of(char path[300], const char *name)
{
    snprintf(path, 300, "%s/%s", dir, name);
}

bool exists(const char *name)
{
    char path[300];

    path_of(path, name);
    return access(path, F_OK) == 0;
}

void write_file(const char *name, const void *bytes, size_t n)
{
    char path[300];
    FILE *f;

    path_of(path, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

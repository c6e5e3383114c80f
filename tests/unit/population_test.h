/*
 * population_test: what the tests of populations share: one directory a program, and files and populations in it.
 *
 * Each fails the test, in words, when it can't do what it is for.
 */
#ifndef TESTS_POPULATION_TEST_H
#define TESTS_POPULATION_TEST_H

#include "population_fixture.h"

extern const char *dir; /* between test_dir_make and test_dir_remove */
extern char why[512];   /* room for a reason */

/* Setup and teardown of a group of tests. */
int test_dir_make(void **state);
int test_dir_remove(void **state);

/* Writes a population of that shape and opens it; to be released. */
struct population *make(const struct fixture_shape *shape, uint64_t version);

/* Files of the directory, by name. */
void path_of(char path[300], const char *name);
bool exists(const char *name);
void write_file(const char *name, const void *bytes, size_t n);

#endif

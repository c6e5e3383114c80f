/*
 * population_format: the arithmetic of the file that its reader and its writer share. For src/data alone.
 */
#ifndef DATA_POPULATION_FORMAT_H
#define DATA_POPULATION_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/population.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is little-endian and mapped as it is");

#define POPULATION_NAME_SIZE 48 /* "population-18446744073709551615.bin" */

void population_file_name(char name[POPULATION_NAME_SIZE], uint64_t data_version);
/* Exactly a name that population_file_name writes. */
bool population_parse_name(const char *name, uint64_t *data_version);

/* Slots of the id index: a power of two, at least twice the rows. */
uint64_t population_hash_size(uint64_t rows);
/* Sections from here on are given by the scoring. */
#define POPULATION_FIRST_GIVEN POPULATION_SECTION_ARCHETYPES
/* Size of an element of a given section. Of those that hold one, there may be none. */
size_t population_element_bytes(unsigned id);
/* Fills offsets, sizes and file_bytes from `rows`, `hash_size` and the sizes of the given sections.
 * rows must be at most POPULATION_MAX_ROWS, the given sizes below 2^60. */
void population_layout(struct population_header *h);
/* Of a whole file, its checksum field taken as 0: hash_fast of one piece after the other, each with the sum of those
 * before it as its seed. */
#define POPULATION_PIECE_BYTES (1U << 20)
uint64_t population_checksum(const void *file, size_t bytes);
/* The next piece: from 0 and *at = 0 until *at is `bytes`. */
uint64_t population_checksum_piece(uint64_t sum, const void *file, size_t bytes, size_t *at);
/* Points p at the sections of a file whose header is sound. */
void population_attach(struct population *p, const struct population_header *h);

/* Is the header sound, and the layout the one it demands? The reason in `why`. */
bool population_check_header(const struct population_header *h, size_t bytes, const char *name, char *why,
                             size_t size);
/* False, with "NAME: what is wrong" in `why`. */
bool population_refuse(char *why, size_t size, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Maps and verifies an open file, which may be closed then. `name` is for the words only. */
struct population *population_map(int fd, const char *name, char *why, size_t why_size);

double population_rate(uint32_t orders, int32_t first_day, int32_t as_of_day); /* orders per year of tenure */

#endif

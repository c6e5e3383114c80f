/*
 * openapi: the document of GET /openapi.json (CONTRACT 7).
 *
 * scripts/make-openapi makes it at build time from the route table and from the parts in src/api/openapi, plain and
 * compressed, so that the server only hands it out.
 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "base/str.h"

struct openapi {
    struct str text, packed; /* packed: the same by gzip */
    struct str tag;          /* of the text */
};

extern const struct openapi openapi;

#endif

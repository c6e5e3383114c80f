/*
 * doctor: what the examinations of `patronctl doctor` share: they find, each in one line, and say what to do.
 */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl/ctl.h"

enum doctor_state {
    DOCTOR_OK,
    DOCTOR_WARNING, /* worth a look, nothing is broken */
    DOCTOR_FAILED
};

#define DOCTOR_FINDINGS 64
#define DOCTOR_TEXT     400

struct doctor_finding {
    enum doctor_state state;
    const char *name; /* "postgres", "index"; stays */
    char found[DOCTOR_TEXT];
    char fix[DOCTOR_TEXT]; /* "" when all is well */
};

struct doctor {
    struct ctl *ctl;
    bool running;          /* ctl->sb is mapped */
    bool fix;              /* mend what can be mended without harm */
    bool database_answers; /* found by the check of dependencies */
    struct doctor_finding findings[DOCTOR_FINDINGS];
    unsigned count;
};

void doctor_ok(struct doctor *d, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* `fix`: sentences that say what to do. */
void doctor_say(struct doctor *d, enum doctor_state state, const char *name, const char *fix, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* The examinations, in the order of the report. */
void doctor_settings(struct doctor *d);     /* doctor.c */
void doctor_server(struct doctor *d);       /* doctor_server.c: master, workers, the last changes */
void doctor_data(struct doctor *d);         /* doctor_server.c: data set and sync */
void doctor_dependencies(struct doctor *d); /* doctor.c: postgres, redis, source, self, asked now */
void doctor_database(struct doctor *d);     /* doctor_database.c: schema, indexes, connections */
void doctor_machine(struct doctor *d);      /* doctor_machine.c: descriptors, disk */

#endif

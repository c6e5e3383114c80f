/*
 * service: what a unit of systemd gives its server, a command by hand takes for itself: the directories of an
 * instance, the secrets, and the user.
 */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include <limits.h>
#include <stdbool.h>

#define SERVICE_SETTINGS PATROND_SYSCONFDIR "/patrond/patrond.conf"

struct service {
    char instance[NAME_MAX]; /* the NAME of patrond@NAME.service; "": patrond.service */
    char settings[PATH_MAX]; /* the file its server reads */
    char unit[NAME_MAX + 32];
    char credentials[NAME_MAX + 32]; /* what its secrets begin with in the credential store: "patrond." */
};

/* The unit patrond.service, or with a name patrond@NAME.service; false when none can be called so. */
bool service_of(const char *name, struct service *s);
/* The unit whose server reads the settings at `path`, named as the unit names it; false: there is none. */
bool service_of_settings(const char *path, struct service *s);
/*
 * Makes the environment that of the unit: the directories of an instance, and for each secret that is not there yet
 * the credential the running server has, or the one the store has for it. False when there is no memory.
 */
bool service_enter(const struct service *s);
/*
 * Root becomes the owner of the server's state directory, if that is another user: so the dependencies see whom they
 * see from the server, and a file that only root can read is not called readable. Not to be undone. False with errno.
 */
bool service_become_user(const char *state_dir);

#endif

/*
 * service: names, environment and user of the units that systemd/ has. See patrond.service.in, whose LoadCredential=
 * names the same files.
 */
#include "ctl/service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/options.h"

bool service_of(const char *name, struct service *s)
{
    const char *at = name != NULL ? "@" : "", *dot = name != NULL ? "." : "", *own = name != NULL ? name : "";

    if (name != NULL &&
        (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > NAME_MAX - 5))
        return false;
    (void)snprintf(s->settings, sizeof(s->settings), PATROND_SYSCONFDIR "/patrond/%s.conf",
                   name != NULL ? name : "patrond");
    (void)snprintf(s->unit, sizeof(s->unit), "patrond%s%s.service", at, own);
    (void)snprintf(s->credentials, sizeof(s->credentials), "patrond%s%s.", dot, own);
    return true;
}

static bool enter_directory(const char *variable, const char *parent, const char *name)
{
    char dir[PATH_MAX];

    (void)snprintf(dir, sizeof(dir), "%s/%s", parent, name);
    return setenv(variable, dir, 1) == 0;
}

/* Names the file of the store that has the secret, unless the environment has it already. */
static bool enter_secret(const struct service *s, const struct option *o)
{
    char path[PATH_MAX], variable[64];

    (void)snprintf(variable, sizeof(variable), "%s_FILE", o->name);
    (void)snprintf(path, sizeof(path), "/etc/credstore/%s%s", s->credentials, o->name);
    if (getenv(o->name) != NULL || getenv(variable) != NULL || access(path, R_OK) != 0)
        return true;
    return setenv(variable, path, 1) == 0;
}

bool service_enter(const struct service *s, const char *name)
{
    char running[PATH_MAX];
    size_t count;
    const struct option *table = options_table(&count);

    if (name != NULL && (!enter_directory("RUN_DIR", "/run/patrond", name) ||
                         !enter_directory("STATE_DIR", "/var/lib/patrond", name)))
        return false;
    if (getenv("CREDENTIALS_DIRECTORY") != NULL)
        return true; /* systemd started us, as part of the unit */
    (void)snprintf(running, sizeof(running), "/run/credentials/%s", s->unit);
    if (access(running, R_OK | X_OK) == 0)
        return setenv("CREDENTIALS_DIRECTORY", running, 1) == 0;
    for (size_t i = 0; i < count; i++) {
        if (options_is_secret(&table[i]) && !enter_secret(s, &table[i]))
            return false;
    }
    return true;
}

bool service_become_user(const char *state_dir)
{
    struct stat state;
    const struct passwd *user;

    if (geteuid() != 0 || stat(state_dir, &state) != 0 || state.st_uid == 0)
        return true;
    user = getpwuid(state.st_uid);
    if (user == NULL)
        return setgroups(0, NULL) == 0 && setgid(state.st_gid) == 0 && setuid(state.st_uid) == 0;
    return initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0;
}

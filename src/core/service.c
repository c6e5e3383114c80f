/*
 * service: names, environment and user of the units that systemd/ has. See patrond.service.in, whose LoadCredential=
 * names the same files.
 */
#include "core/service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "core/options.h"

#define SETTINGS_DIR PATROND_SYSCONFDIR "/patrond/"
#define SETTINGS_END ".conf"
#define STORE        "/etc/credstore/"

bool service_of(const char *name, struct service *s)
{
    const char *at = name != NULL ? "@" : "", *dot = name != NULL ? "." : "", *own = name != NULL ? name : "";

    if (name != NULL &&
        (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > NAME_MAX - 5))
        return false;
    (void)snprintf(s->instance, sizeof(s->instance), "%s", own);
    (void)snprintf(s->settings, sizeof(s->settings), SETTINGS_DIR "%s" SETTINGS_END, name != NULL ? name : "patrond");
    (void)snprintf(s->unit, sizeof(s->unit), "patrond%s%s.service", at, own);
    (void)snprintf(s->credentials, sizeof(s->credentials), "patrond%s%s.", dot, own);
    return true;
}

bool service_of_settings(const char *path, struct service *s)
{
    size_t start = strlen(SETTINGS_DIR), end = strlen(SETTINGS_END), length = strlen(path);
    char name[NAME_MAX];

    if (strcmp(path, SERVICE_SETTINGS) == 0)
        return service_of(NULL, s);
    if (length <= start + end || !str_starts(str_from(path), SETTINGS_DIR) ||
        strcmp(path + length - end, SETTINGS_END) != 0)
        return false;
    return str_copy(name, sizeof(name), (struct str){ path + start, length - start - end }) && service_of(name, s);
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
    (void)snprintf(path, sizeof(path), STORE "%s%s", s->credentials, o->name);
    if (getenv(o->name) != NULL || getenv(variable) != NULL || access(path, R_OK) != 0)
        return true;
    return setenv(variable, path, 1) == 0;
}

bool service_enter(const struct service *s)
{
    char running[PATH_MAX];
    size_t count;
    const struct option *table = options_table(&count);

    if (s->instance[0] != '\0' && (!enter_directory("RUN_DIR", "/run/patrond", s->instance) ||
                                   !enter_directory("STATE_DIR", "/var/lib/patrond", s->instance)))
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

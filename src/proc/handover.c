/*
 * handover: one table says which entries there are.
 */
#include "proc/handover.h"

#include <stddef.h>

#define NONE (-1)

static const struct {
    const char *name;
    size_t offset; /* of an int, a descriptor */
} descriptors[] = {
    { "image", offsetof(struct handover, image_fd) },
    { "next", offsetof(struct handover, next_fd) },
    { "lock", offsetof(struct handover, lock_fd) },
    { "scoreboard", offsetof(struct handover, scoreboard_fd) },
    { "lifeline_read", offsetof(struct handover, lifeline[0]) },
    { "lifeline_write", offsetof(struct handover, lifeline[1]) },
};
#define DESCRIPTORS (sizeof(descriptors) / sizeof(descriptors[0]))

static int *descriptor(struct handover *h, size_t i)
{
    return (int *)((char *)h + descriptors[i].offset);
}

static void put(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, "%s=%llu", name, (unsigned long long)value);
    buf_add_char(out, '\0');
}

void handover_write(const struct handover *h, struct buf *out)
{
    struct handover copy = *h;

    buf_printf(out, "version=%s", h->version);
    buf_add_char(out, '\0');
    for (size_t i = 0; i < DESCRIPTORS; i++)
        put(out, descriptors[i].name, (uint64_t)*descriptor(&copy, i));
    for (unsigned i = 0; i < h->listen.count; i++)
        put(out, "listen", (uint64_t)h->listen.fds[i]);
    put(out, "workers", h->workers);
    put(out, "deadline_ns", h->deadline_ns);
    put(out, "reload_wanted", h->reload_wanted);
}

static bool read_descriptor(struct str value, int *fd)
{
    uint64_t n;

    if (!str_to_u64(value, &n) || n > 1u << 30)
        return false;
    *fd = (int)n;
    return true;
}

static bool read_entry(struct handover *h, struct str name, struct str value)
{
    uint64_t n;

    for (size_t i = 0; i < DESCRIPTORS; i++) {
        if (str_eq_lit(name, descriptors[i].name))
            return read_descriptor(value, descriptor(h, i));
    }
    if (str_eq_lit(name, "version"))
        return str_copy(h->version, sizeof(h->version), value);
    if (str_eq_lit(name, "listen"))
        return h->listen.count < LISTEN_MAX && read_descriptor(value, &h->listen.fds[h->listen.count++]);
    if (str_eq_lit(name, "deadline_ns"))
        return str_to_u64(value, &h->deadline_ns);
    if (str_eq_lit(name, "reload_wanted"))
        return str_to_bool(value, &h->reload_wanted);
    if (!str_eq_lit(name, "workers"))
        return true;
    if (!str_to_u64(value, &n) || n == 0 || n > UINT16_MAX)
        return false;
    h->workers = (unsigned)n;
    return true;
}

bool handover_read(struct str text, struct handover *h)
{
    struct str entry, name;
    bool good = true;

    *h = (struct handover){ .workers = 1 };
    for (size_t i = 0; i < DESCRIPTORS; i++)
        *descriptor(h, i) = NONE;
    while (str_split(&text, '\0', &entry)) {
        struct str value = entry;

        if (str_split(&value, '=', &name) && value.p != NULL)
            good = read_entry(h, name, value) && good;
    }
    for (size_t i = 0; i < DESCRIPTORS; i++)
        good = good && *descriptor(h, i) != NONE;
    return good && h->listen.count > 0;
}

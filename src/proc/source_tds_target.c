#include "proc/source_tds_target.h"

#include <string.h>

#define CA_FILE_MOST 200

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

static bool take_host(struct tds_target *target, struct str host)
{
    if (host.len == 0 || host.len >= sizeof(target->host) || host.p[0] == '-' || host.p[0] == '.')
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!host_char(host.p[i]))
            return false;
    return str_copy(target->host, sizeof(target->host), host);
}

static bool take_port(struct tds_target *target, struct str port)
{
    uint64_t v;

    if (!str_to_u64(str_trim(port), &v) || v == 0 || v > UINT16_MAX)
        return false;
    target->port = (uint16_t)v;
    return true;
}

bool tds_target_parse(struct tds_target *target, struct str server, uint16_t default_port)
{
    server = str_trim(server);
    if (server.len > 4 && str_ieq((struct str){ server.p, 4 }, "tcp:"))
        server = (struct str){ server.p + 4, server.len - 4 };
    size_t host = 0;
    while (host < server.len && server.p[host] != ',' && server.p[host] != ':')
        host++;
    target->port = default_port;
    if (host < server.len && !take_port(target, (struct str){ server.p + host + 1, server.len - host - 1 }))
        return false;
    return take_host(target, str_trim((struct str){ server.p, host }));
}

bool tds_target_redirected(struct tds_target *target, struct str error_text, const struct tds_target *asked)
{
    struct str s = str_trim(error_text);
    size_t open = s.len;

    if (s.len == 0 || s.p[s.len - 1] != ')')
        return false;
    while (open > 0 && s.p[open - 1] != '(')
        open--;
    if (open == 0 || memchr(s.p + open, ',', s.len - 1 - open) == NULL)
        return false;
    struct tds_target place;
    if (!tds_target_parse(&place, (struct str){ s.p + open, s.len - 1 - open }, asked->port) ||
        (place.port == asked->port && str_ieq(str_from(place.host), asked->host)))
        return false;
    *target = place;
    return true;
}

bool tds_target_ca_file_fits(struct str ca_file)
{
    if (ca_file.len == 0 || ca_file.len > CA_FILE_MOST)
        return false;
    for (size_t i = 0; i < ca_file.len; i++) /* the library joins blanks */
        if ((unsigned char)ca_file.p[i] <= ' ' || ca_file.p[i] == 0x7f)
            return false;
    return str_eq_lit(ca_file, "system") || ca_file.p[0] == '/';
}

void tds_target_conf(struct buf *out, const struct tds_target *target, const char *ca_file)
{
    buf_printf(out, "# Written by patrond for every connection; changes are lost.\n[%s]\n", target->host);
    buf_printf(out, "\thost = %s\n\tport = %u\n", target->host, target->port);
    buf_printf(out, "\ttds version = 7.4\n\tencryption = require\n\tca file = %s\n", ca_file);
    buf_printf(out, "\tcheck certificate hostname = yes\n\tclient charset = UTF-8\n\ttext size = 2147483647\n");
}

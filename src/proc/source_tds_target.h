/*
 * source_tds_target: which server, and what the client library is told about it. Pure.
 *
 * The library demands encryption and checks certificates only when a configuration file says so, and names the server
 * to itself by the file's section. So the section carries the full host name, and whatever could break out of its
 * line is refused here.
 */
#ifndef PROC_SOURCE_TDS_TARGET_H
#define PROC_SOURCE_TDS_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define TDS_HOST_SIZE 254

struct tds_target {
    char host[TDS_HOST_SIZE];
    uint16_t port;
};

/* "host", "host,port", "host:port", each maybe behind "tcp:"; a port in the text replaces the default. False when it
 * is no host name or IPv4 address. */
bool tds_target_parse(struct tds_target *target, struct str server, uint16_t default_port);

/* The place a server in the cloud sent us to: "…(host,port)" at the end of the library's error text. False when the
 * text names none, or the server we asked. */
bool tds_target_redirected(struct tds_target *target, struct str error_text, const struct tds_target *asked);

/* Is this a path, or "system", that can stand in the file? The library reads lines of 255 bytes. */
bool tds_target_ca_file_fits(struct str ca_file);

/* The file: one section, encryption required, certificate and host name checked. */
void tds_target_conf(struct buf *out, const struct tds_target *target, const char *ca_file);

#endif

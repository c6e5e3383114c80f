/*
 * router: a trie over path segments, its edges in one hash table keyed by
 * (node, segment), so a look-up costs the bytes of the path whatever the number of routes.
 *
 * With at most ROUTER_MAX_PARAMS names in a template, stepping back from a literal that
 * led nowhere to the `{name}` beside it happens at most that often.
 */
#include "net/router.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NO_NODE      UINT16_MAX
#define NO_ENTRY     (-1)
#define MAX_NODES    4096
#define MAX_SEGMENTS 16

struct node {
    uint16_t param; /* child for a `{name}`, or NO_NODE */
    int path_index; /* first entry that ends here, or NO_ENTRY */
    unsigned methods;
    int entries[HTTP_METHOD_UNKNOWN];
};

/* One literal edge; `child` NO_NODE marks a free place. */
struct edge {
    struct str segment;
    uint16_t parent, child;
};

struct router {
    struct node *nodes;
    size_t node_count, node_cap;
    struct edge *edges; /* open addressing, size a power of two, at most half full */
    size_t edge_mask;
};

static size_t edge_slot(const struct router *r, uint16_t parent, struct str segment)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ parent;
    size_t slot;

    for (size_t i = 0; i < segment.len; i++)
        h = (h ^ (uint8_t)segment.p[i]) * 0x100000001b3ULL;
    for (slot = (h ^ h >> 32) & r->edge_mask;; slot = (slot + 1) & r->edge_mask) {
        const struct edge *e = &r->edges[slot];

        if (e->child == NO_NODE || (e->parent == parent && str_eq(e->segment, segment)))
            return slot;
    }
}

/* The table has room for every node of every template, so this fails only by MAX_NODES. */
static uint16_t add_node(struct router *r)
{
    struct node *node;

    if (r->node_count == r->node_cap)
        return NO_NODE;
    node = &r->nodes[r->node_count];
    node->param = NO_NODE;
    node->path_index = NO_ENTRY;
    node->methods = 0;
    for (int m = 0; m < HTTP_METHOD_UNKNOWN; m++)
        node->entries[m] = NO_ENTRY;
    return (uint16_t)r->node_count++;
}

/* The child of `parent` for a segment of a template, made where it is missing. */
static uint16_t add_child(struct router *r, uint16_t parent, struct str segment)
{
    struct edge *e;

    if (segment.len > 2 && segment.p[0] == '{' && segment.p[segment.len - 1] == '}') {
        if (r->nodes[parent].param == NO_NODE)
            r->nodes[parent].param = add_node(r);
        return r->nodes[parent].param;
    }
    e = &r->edges[edge_slot(r, parent, segment)];
    if (e->child == NO_NODE)
        *e = (struct edge){ .segment = segment, .parent = parent, .child = add_node(r) };
    return e->child;
}

static unsigned methods_with(unsigned methods, enum http_method m)
{
    methods |= 1u << m | 1u << HTTP_OPTIONS;
    return m == HTTP_GET ? methods | 1u << HTTP_HEAD : methods;
}

/* False on a template that is none, or that stands twice for its method. */
static bool add_entry(struct router *r, const struct router_entry *entry, int index)
{
    struct str rest = str_from(entry->path), segment;
    unsigned params = 0, segments = 0;
    uint16_t at = 0;
    struct node *node;

    if (rest.len == 0 || rest.p[0] != '/' || entry->method >= HTTP_METHOD_UNKNOWN)
        return false;
    rest.p++;
    rest.len--;
    while (str_split(&rest, '/', &segment)) {
        params += segment.len > 0 && segment.p[0] == '{';
        at = add_child(r, at, segment);
        if (at == NO_NODE || params > ROUTER_MAX_PARAMS || ++segments > MAX_SEGMENTS)
            return false;
    }
    node = &r->nodes[at];
    if (node->entries[entry->method] != NO_ENTRY)
        return false;
    node->entries[entry->method] = index;
    node->methods = methods_with(node->methods, entry->method);
    if (node->path_index == NO_ENTRY)
        node->path_index = index;
    return true;
}

static const struct router_entry *entry_at(const void *entries, size_t i, size_t stride)
{
    return (const struct router_entry *)(const void *)((const char *)entries + i * stride);
}

/* An upper bound of the nodes: the root and every segment of every template. */
static size_t count_nodes(const void *entries, size_t count, size_t stride)
{
    size_t nodes = 1;

    for (size_t i = 0; i < count; i++)
        for (const char *p = entry_at(entries, i, stride)->path; *p != '\0'; p++)
            nodes += *p == '/';
    return nodes;
}

static bool allocate(struct router *r, size_t nodes)
{
    size_t edges = 8;

    while (edges < nodes * 2)
        edges *= 2;
    r->node_cap = nodes;
    r->edge_mask = edges - 1;
    r->nodes = calloc(nodes, sizeof *r->nodes);
    r->edges = calloc(edges, sizeof *r->edges);
    if (nodes > MAX_NODES || r->nodes == NULL || r->edges == NULL)
        return false;
    for (size_t i = 0; i < edges; i++)
        r->edges[i].child = NO_NODE;
    return true;
}

struct router *router_new(const void *entries, size_t count, size_t stride)
{
    struct router *r = calloc(1, sizeof *r);
    bool good;

    if (r == NULL)
        return NULL;
    good = allocate(r, count_nodes(entries, count, stride)) && add_node(r) == 0;
    for (size_t i = 0; good && i < count; i++)
        good = add_entry(r, entry_at(entries, i, stride), (int)i);
    if (good)
        return r;
    router_free(r);
    return NULL;
}

void router_free(struct router *r)
{
    if (r == NULL)
        return;
    free(r->nodes);
    free(r->edges);
    free(r);
}

/*
 * The node the rest of a path leads to, a literal before a `{name}`, or NULL.
 * `rest` begins behind a slash, so an empty one is an empty last segment.
 */
static const struct node *walk(const struct router *r, uint16_t at, struct str rest, struct router_match *m)
{
    const char *slash = rest.len > 0 ? memchr(rest.p, '/', rest.len) : NULL;
    struct str segment = { rest.p, slash != NULL ? (size_t)(slash - rest.p) : rest.len };
    struct str next = slash != NULL ? (struct str){ slash + 1, rest.len - segment.len - 1 } : STR_NONE;
    uint16_t children[2] = { r->edges[edge_slot(r, at, segment)].child, r->nodes[at].param };
    unsigned params = m->param_count;

    for (int i = 0; i < 2; i++) {
        const struct node *found;

        m->param_count = params;
        if (children[i] == NO_NODE || (i == 1 && segment.len == 0))
            continue;
        if (i == 1)
            m->params[m->param_count++] = segment;
        found = slash != NULL ? walk(r, children[i], next, m) : &r->nodes[children[i]];
        if (found != NULL && found->path_index != NO_ENTRY)
            return found;
    }
    m->param_count = params;
    return NULL;
}

void router_find(const struct router *r, enum http_method method, struct str path, struct router_match *m)
{
    const struct node *node = NULL;

    m->index = m->path_index = NO_ENTRY;
    m->methods = 0;
    m->param_count = 0;
    if (path.len > 0 && path.p[0] == '/')
        node = walk(r, 0, (struct str){ path.p + 1, path.len - 1 }, m);
    if (node == NULL)
        return;
    m->path_index = node->path_index;
    m->methods = node->methods;
    if (method < HTTP_METHOD_UNKNOWN)
        m->index = node->entries[method == HTTP_HEAD ? HTTP_GET : method];
}

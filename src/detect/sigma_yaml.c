/*
 * libyaml's events feed one recursive reader. Members are linked, not in arrays, because their number is known last.
 *
 * A node stands in one list only, so an alias is a copy of the anchored node's head that shares its members. As an
 * anchor is known only once its node is complete, no circle can be written. The weight of a copy is added where it
 * stands: text that doubles itself with each line passes the limit while it is read, and not later when it is walked.
 */
#include "detect/sigma_yaml.h"

#include <errno.h>
#include <yaml.h>

#define MAX_ANCHORS 64

struct anchor {
    xt_slice name;
    const xt_yaml_node *node;
};

struct reader {
    yaml_parser_t parser;
    xt_arena *arena;
    xt_problem *problem;
    struct anchor anchors[MAX_ANCHORS];
    unsigned n_anchors;
    unsigned depth;
};

static int read_node(struct reader *r, const yaml_event_t *event, xt_yaml_node **ret);

static int refuse(struct reader *r, yaml_mark_t mark, const char *sentence)
{
    xt_problem_set(r->problem, "%s", sentence);
    xt_problem_at(r->problem, mark.line + 1, mark.column + 1);
    return XT_SIGMA_YAML_E_BAD;
}

static int next_event(struct reader *r, yaml_event_t *ret)
{
    const yaml_parser_t *p = &r->parser;

    if (yaml_parser_parse(&r->parser, ret))
        return 0;
    if (p->error == YAML_MEMORY_ERROR)
        return xt_error_origin(-ENOMEM);
    xt_problem_set(r->problem, "this is not YAML: %s", p->problem ? p->problem : "unreadable");
    if (p->error == YAML_READER_ERROR)
        xt_problem_at_offset(r->problem, (int64_t)p->problem_offset);
    else
        xt_problem_at(r->problem, p->problem_mark.line + 1, p->problem_mark.column + 1);
    return XT_SIGMA_YAML_E_BAD;
}

static const xt_yaml_node *find_anchor(const struct reader *r, xt_slice name)
{
    for (unsigned i = r->n_anchors; i-- > 0;)
        if (xt_slice_eq(r->anchors[i].name, name))
            return r->anchors[i].node;
    return NULL;
}

static int put_anchor(struct reader *r, const yaml_char_t *name, yaml_mark_t mark, const xt_yaml_node *node)
{
    xt_slice copy;

    if (!name)
        return 0;
    if (r->n_anchors == MAX_ANCHORS)
        return refuse(r, mark, "this document has more than 64 anchors");
    copy = xt_arena_copy(r->arena, xt_slice_str((const char *)name));
    if (!copy.p)
        return xt_error_origin(-ENOMEM);
    r->anchors[r->n_anchors++] = (struct anchor){copy, node};
    return 0;
}

static int new_node(struct reader *r, xt_yaml_kind kind, yaml_mark_t mark, xt_yaml_node **ret)
{
    xt_yaml_node *node = xt_arena_new(r->arena, xt_yaml_node);

    if (!node)
        return xt_error_origin(-ENOMEM);
    node->kind = kind;
    node->line = (uint32_t)mark.line + 1;
    node->column = (uint32_t)mark.column + 1;
    node->weight = 1;
    *ret = node;
    return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, xt_yaml_node **ret)
{
    int e = new_node(r, XT_YAML_SCALAR, event->start_mark, ret);

    if (e)
        return xt_error_trace(e);
    (*ret)->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    (*ret)->text = xt_arena_copy(r->arena, xt_slice_of(event->data.scalar.value, event->data.scalar.length));
    if (!(*ret)->text.p)
        return xt_error_origin(-ENOMEM);
    return put_anchor(r, event->data.scalar.anchor, event->start_mark, *ret);
}

static int read_alias(struct reader *r, const yaml_event_t *event, xt_yaml_node **ret)
{
    const xt_yaml_node *of = find_anchor(r, xt_slice_str((const char *)event->data.alias.anchor));
    int e;

    if (!of)
        return refuse(r, event->start_mark, "this alias names no anchor before it");
    e = new_node(r, of->kind, event->start_mark, ret);
    if (e)
        return xt_error_trace(e);
    (*ret)->plain = of->plain;
    (*ret)->text = of->text;
    (*ret)->first = of->first;
    (*ret)->n = of->n;
    (*ret)->weight = of->weight;
    return 0;
}

static bool has_key(const xt_yaml_node *map, xt_slice key)
{
    for (const xt_yaml_node *m = map->first; m; m = m->next)
        if (xt_slice_eq(m->key->text, key))
            return true;
    return false;
}

/* The key of a map's next member, whose event is given. */
static int read_key(struct reader *r, const xt_yaml_node *map, const yaml_event_t *event, xt_yaml_node **ret)
{
    int e;

    if (event->type != YAML_SCALAR_EVENT)
        return refuse(r, event->start_mark, "a key must be a plain text");
    e = read_scalar(r, event, ret);
    if (e)
        return e;
    if (has_key(map, (*ret)->text)) {
        e = refuse(r, event->start_mark, "this key stands twice in the same map");
        xt_problem_excerpt(r->problem, (*ret)->text);
    }
    return e;
}

/* One member of a list or map whose first event is given. */
static int read_member(struct reader *r, xt_yaml_node *into, const yaml_event_t *first, xt_yaml_node **ret)
{
    xt_yaml_node *key = NULL;
    yaml_event_t event;
    int e;

    if (into->kind == XT_YAML_LIST)
        return read_node(r, first, ret);
    e = read_key(r, into, first, &key);
    if (e)
        return e;
    e = next_event(r, &event);
    if (e)
        return e;
    e = read_node(r, &event, ret);
    yaml_event_delete(&event);
    if (e)
        return e;
    (*ret)->key = key;
    return 0;
}

static int read_members(struct reader *r, xt_yaml_node *into, yaml_event_type_t end)
{
    xt_yaml_node **tail = &into->first;

    for (;;) {
        yaml_event_t event;
        int e = next_event(r, &event);
        if (e)
            return e;
        if (event.type == end) {
            yaml_event_delete(&event);
            return 0;
        }
        e = read_member(r, into, &event, tail);
        if (!e && (into->weight += (*tail)->weight + 1) > XT_SIGMA_YAML_MAX_NODES)
            e = refuse(r, event.start_mark, "this document is too large, its aliases written out");
        yaml_event_delete(&event);
        if (e)
            return e;
        tail = &(*tail)->next;
        into->n++;
    }
}

static int read_collection(struct reader *r, const yaml_event_t *event, xt_yaml_node **ret)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *anchor = is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    int e;

    if (r->depth == XT_SIGMA_YAML_MAX_DEPTH)
        return refuse(r, event->start_mark, "this is nested too deeply");
    e = new_node(r, is_map ? XT_YAML_MAP : XT_YAML_LIST, event->start_mark, ret);
    if (e)
        return xt_error_trace(e);
    r->depth++;
    e = read_members(r, *ret, is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT);
    r->depth--;
    return e ? e : put_anchor(r, anchor, event->start_mark, *ret);
}

static int read_node(struct reader *r, const yaml_event_t *event, xt_yaml_node **ret)
{
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(r, event, ret);
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(r, event, ret);
    if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
        return read_collection(r, event, ret);
    return refuse(r, event->start_mark, "a value is missing here");
}

/* Reads on to the next document's root; *ret NULL at the end. */
static int read_document(struct reader *r, xt_yaml_node **ret)
{
    *ret = NULL;
    for (;;) {
        yaml_event_t event;
        yaml_event_type_t type;
        int e = next_event(r, &event);
        if (e)
            return e;
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT)
            r->n_anchors = 0;
        else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT)
            e = read_node(r, &event, ret);
        yaml_event_delete(&event);
        if (e || *ret || type == YAML_STREAM_END_EVENT)
            return e;
    }
}

static int read_documents(struct reader *r, xt_yaml_node **first, size_t *ret_n)
{
    xt_yaml_node **tail = first;

    *ret_n = 0;
    for (;;) {
        xt_yaml_node *root;
        int e = read_document(r, &root);
        if (e || !root)
            return e;
        if (xt_yaml_is_null(root))
            continue;
        *tail = root;
        tail = &root->next;
        (*ret_n)++;
    }
}

int xt_yaml_parse(xt_arena *arena, xt_slice text, xt_yaml_node ***ret, size_t *ret_n, xt_problem *reterr_problem)
{
    struct reader r = {.arena = arena, .problem = reterr_problem};
    xt_yaml_node *first = NULL, **roots;
    size_t n;
    int e;

    if (text.n > XT_SIGMA_YAML_MAX_BYTES) {
        xt_problem_set(reterr_problem, "this file has more than %u bytes", XT_SIGMA_YAML_MAX_BYTES);
        return XT_SIGMA_YAML_E_BAD;
    }
    if (!yaml_parser_initialize(&r.parser))
        return xt_error_origin(-ENOMEM);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    e = read_documents(&r, &first, &n);
    yaml_parser_delete(&r.parser);
    if (e)
        return e < 0 ? xt_error_trace(e) : e;
    roots = xt_arena_array(arena, n ? n : 1, sizeof(xt_yaml_node *));
    if (!roots)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; first; i++, first = first->next)
        roots[i] = first;
    *ret = roots;
    *ret_n = n;
    return 0;
}

const xt_yaml_node *xt_yaml_find(const xt_yaml_node *map, const char *key)
{
    if (!map || map->kind != XT_YAML_MAP)
        return NULL;
    for (const xt_yaml_node *m = map->first; m; m = m->next)
        if (xt_slice_eq(m->key->text, xt_slice_str(key)))
            return m;
    return NULL;
}

bool xt_yaml_is_null(const xt_yaml_node *node)
{
    xt_slice t = node->text;

    return node->kind == XT_YAML_SCALAR && node->plain &&
           (t.n == 0 || xt_slice_eq(t, XT_S("~")) || xt_slice_eq(t, XT_S("null")) || xt_slice_eq(t, XT_S("Null")) ||
            xt_slice_eq(t, XT_S("NULL")));
}

void xt_yaml_at(xt_problem *problem, const xt_yaml_node *node)
{
    xt_problem_at(problem, node->line, node->column);
}

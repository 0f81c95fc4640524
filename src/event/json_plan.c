/*
 * The names of the table are put into a tree, children in the order in which they first appear; a walk through it
 * gives the steps. Whatever is wrong here is our own mistake in the table, so it is asserted.
 */
#include "event/json_plan.h"

#include <assert.h>
#include <pthread.h>

typedef struct node {
    xt_slice name;
    unsigned field; /* 0: an object */
    int first_child, last_child, next;
} node;

typedef struct tree {
    node nodes[2 * XT_JSON_PLAN_MAX];
    int n;
    size_t n_text;
    unsigned n_objects;
} tree;

static xt_json_plan plan;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int find_child(const tree *t, int parent, xt_slice name)
{
    int i = t->nodes[parent].first_child;
    while (i > 0 && !xt_slice_eq(t->nodes[i].name, name))
        i = t->nodes[i].next;
    return i;
}

static int add_child(tree *t, int parent, xt_slice name)
{
    assert(t->n < (int)XT_COUNT_OF(t->nodes));
    int i = t->n++;
    t->nodes[i] = (node){.name = name};
    if (t->nodes[parent].first_child == 0)
        t->nodes[parent].first_child = i;
    else
        t->nodes[t->nodes[parent].last_child].next = i;
    t->nodes[parent].last_child = i;
    return i;
}

/* Node 0 is the document; so 0 also stands for "none" among children. */
static int add_name(tree *t, xt_slice name, unsigned field)
{
    int at = 0;
    xt_slice part;
    while (xt_slice_cut(&name, '.', &part)) {
        int child = find_child(t, at, part);
        at = child > 0 ? child : add_child(t, at, part);
    }
    t->nodes[at].field = field;
    return at;
}

static xt_slice put_text(tree *t, const char *before, xt_slice name, const char *after)
{
    char *start = plan.text + t->n_text;
    size_t n = strlen(before) + name.n + strlen(after);
    assert(t->n_text + n <= sizeof plan.text);
    memcpy(start, before, strlen(before));
    memcpy(start + strlen(before), name.p, name.n);
    memcpy(start + strlen(before) + name.n, after, strlen(after));
    t->n_text += n;
    return xt_slice_of(start, n);
}

static void add_step(tree *t, const node *leaf, const uint8_t *open, unsigned n_open)
{
    assert(plan.n_steps < XT_COUNT_OF(plan.steps));
    xt_json_step *step = &plan.steps[plan.n_steps++];
    *step = (xt_json_step){.field = leaf->field, .n_open = n_open, .name = leaf->name};
    const xt_field_info *info = xt_field_find(leaf->field);
    step->is_data = info && xt_slice_starts(xt_slice_str(info->name), XT_S("auditd.data."));
    memcpy(step->open, open, n_open);
    if (leaf->field != XT_JSON_STEP_DATA)
        step->key = put_text(t, "\"", leaf->name, "\":");
    size_t n = step->key.n + 1 + XT_JSON_PLAN_DEPTH;
    for (unsigned i = 0; i < n_open; i++)
        n += plan.open_key[open[i]].n;
    if (n > plan.max_key_bytes)
        plan.max_key_bytes = n;
}

/* Recursion as deep as names have parts, which add_step's array bounds. */
static void walk(tree *t, int parent, uint8_t *open, unsigned n_open)
{
    for (int i = t->nodes[parent].first_child; i > 0; i = t->nodes[i].next) {
        node *child = &t->nodes[i];
        if (child->field != 0) {
            assert(child->first_child == 0);
            add_step(t, child, open, n_open);
            continue;
        }
        assert(n_open < XT_JSON_PLAN_DEPTH);
        open[n_open] = (uint8_t)t->n_objects;
        plan.open_key[t->n_objects++] = put_text(t, "\"", child->name, "\":{");
        walk(t, i, open, n_open + 1);
    }
}

static void make(void)
{
    tree t = {.n = 1};
    uint8_t open[XT_JSON_PLAN_DEPTH] = {0};
    for (unsigned id = 1; id < XT_F_END; id++) {
        const xt_field_info *info = xt_field_find(id);
        if (info)
            add_name(&t, xt_slice_str(info->name), id);
    }
    add_name(&t, XT_S("auditd.data.*"), XT_JSON_STEP_DATA);
    add_name(&t, XT_S("auditd.raw"), XT_JSON_STEP_RAW);
    add_name(&t, XT_S("auditd.interpreted"), XT_JSON_STEP_INTERPRETED);
    add_name(&t, XT_S("tags"), XT_JSON_STEP_TAGS);
    walk(&t, 0, open, 0);
}

const xt_json_plan *xt_json_plan_get(void)
{
    pthread_once(&once, make);
    return &plan;
}

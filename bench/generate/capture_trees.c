/*
 * A pid is a process from its first event to the first one that contradicts: another parent, or a long silence. The
 * processes are put below each other by ppid, and where the parent was never seen, below the first process of their login
 * session. Trees of up to MAX_TREE events stay whole. Above that the process becomes a root; what ran below it is cut into
 * stretches of about STRETCH events, as they followed each other.
 */
#include <errno.h>
#include <stdlib.h>

#include "capture_private.h"

#define MAX_TREE     600
#define STRETCH      60
#define N_PIDS       (1u << 22)
#define EXEC_GAP_MS  10000 /* an exec after so long a silence is another process */
#define OTHER_GAP_MS 900000
#define NONE         (-1)

typedef struct process {
    int32_t parent; /* by ppid */
    int32_t above;  /* in the tree: the parent, or the session's first */
    uint32_t pid, ppid;
    uint64_t ses;
    int64_t last_ms;
    uint32_t n_own, n_all;
    const xt_text *exe;
    int32_t first_child, next_child, last_child;
    int32_t root, tree, local;
    bool has_parent;
} process;

typedef struct cut {
    xt_capture *capture;
    process *processes;
    size_t n, cap;
    int32_t *by_pid;
    xt_map first_of_ses;
    uint32_t first_root;
} cut;

/* ------------------------------------------------------------------------------------------------ processes */

static int add(cut *c, uint32_t pid, uint64_t ses, int64_t now_ms, int32_t *ret)
{
    int r = xt_capture_grow(&c->processes, sizeof *c->processes, c->n, &c->cap);
    if (r < 0)
        return xt_error_trace(r);
    c->processes[c->n] = (process){.parent = NONE,
                                   .above = NONE,
                                   .pid = pid,
                                   .ppid = UINT32_MAX,
                                   .ses = ses,
                                   .last_ms = now_ms,
                                   .first_child = NONE,
                                   .next_child = NONE,
                                   .last_child = NONE,
                                   .root = NONE,
                                   .tree = NONE,
                                   .local = NONE};
    *ret = (int32_t)c->n++;
    c->by_pid[pid % N_PIDS] = *ret;
    return 0;
}

/* Which process is the parent: what the decoder said of it has to fit. */
static int find_parent(cut *c, xt_raw_sample *raw, int32_t *ret)
{
    int32_t p = c->by_pid[raw->ppid % N_PIDS];
    bool knows = raw->sample.flags & XT_SAMPLE_PARENT;
    if (p != NONE) {
        process *parent = &c->processes[p];
        bool fits = knows ? parent->exe == raw->parent_exe : parent->exe == NULL;
        if (fits) {
            parent->last_ms = raw->time_ms;
            *ret = p;
            return 0;
        }
    }
    raw->sample.flags = (uint16_t)(raw->sample.flags & ~XT_SAMPLE_PARENT);
    return add(c, raw->ppid, raw->ses, raw->time_ms, ret);
}

static bool is_same(const process *p, const xt_raw_sample *raw)
{
    if (p->ppid != UINT32_MAX && raw->ppid != UINT32_MAX && p->ppid != raw->ppid)
        return false;
    return raw->time_ms - p->last_ms < (raw->is_exec && p->exe ? EXEC_GAP_MS : OTHER_GAP_MS);
}

static int see(cut *c, xt_raw_sample *raw)
{
    int32_t at = c->by_pid[raw->pid % N_PIDS], parent = NONE;
    int r = 0;
    if (at == NONE || !is_same(&c->processes[at], raw)) {
        if (raw->ppid != UINT32_MAX)
            r = find_parent(c, raw, &parent);
        if (r == 0)
            r = add(c, raw->pid, raw->ses, raw->time_ms, &at);
    } else if (raw->ppid != UINT32_MAX && !c->processes[at].has_parent) {
        r = find_parent(c, raw, &parent); /* seen before only in records that name no parent, or as a parent */
        parent = parent < at ? parent : NONE;
    } else if (raw->ppid != UINT32_MAX) {
        int32_t before = c->processes[at].parent;
        const process *p = before == NONE ? NULL : &c->processes[before];
        if (!p || (raw->sample.flags & XT_SAMPLE_PARENT && p->exe != raw->parent_exe))
            raw->sample.flags = (uint16_t)(raw->sample.flags & ~XT_SAMPLE_PARENT);
    }
    if (r < 0)
        return xt_error_trace(r);
    process *p = &c->processes[at];
    if (parent != NONE) {
        p->parent = parent;
        p->has_parent = true;
    }
    p->ppid = raw->ppid != UINT32_MAX ? raw->ppid : p->ppid;
    p->ses = raw->ses != UINT64_MAX ? raw->ses : p->ses;
    p->last_ms = raw->time_ms;
    p->exe = raw->sample.flags & XT_SAMPLE_STARTS ? raw->exe : p->exe;
    p->n_own++;
    raw->process = at;
    return 0;
}

/* Puts processes below each other; what is above has the smaller number. */
static int link_all(cut *c)
{
    for (size_t i = 0; i < c->n; i++) {
        process *p = &c->processes[i];
        p->above = p->parent;
        if (p->above == NONE && p->ses != UINT64_MAX) {
            xt_slice key = xt_slice_of(&p->ses, sizeof p->ses);
            process *first = xt_map_find(&c->first_of_ses, key);
            if (first)
                p->above = (int32_t)(first - c->processes);
            else if (xt_map_put(&c->first_of_ses, key, p, NULL) < 0)
                return xt_error_origin(-ENOMEM);
        }
        if (p->above == NONE)
            continue;
        process *above = &c->processes[p->above];
        *(above->last_child == NONE ? &above->first_child : &c->processes[above->last_child].next_child) = (int32_t)i;
        above->last_child = (int32_t)i;
    }
    for (size_t i = c->n; i-- > 0;) {
        process *p = &c->processes[i];
        p->n_all += p->n_own;
        if (p->above != NONE)
            c->processes[p->above].n_all += p->n_all;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ cutting */

static int add_tree(cut *c, int32_t root, int32_t *ret)
{
    xt_capture *capture = c->capture;
    size_t cap = capture->cap_trees;
    int r = xt_capture_grow(&capture->trees, sizeof *capture->trees, capture->n_trees, &cap);
    if (r < 0)
        return xt_error_trace(r);
    capture->cap_trees = (uint32_t)cap;
    capture->trees[capture->n_trees] = (xt_tree){.root = root};
    *ret = (int32_t)capture->n_trees++;
    return 0;
}

static int add_root(cut *c, process *p, int32_t parent)
{
    xt_capture *capture = c->capture;
    size_t cap = capture->cap_roots;
    int r = xt_capture_grow(&capture->roots, sizeof *capture->roots, capture->n_roots, &cap);
    if (r < 0)
        return xt_error_trace(r);
    capture->cap_roots = (uint32_t)cap;
    p->root = (int32_t)capture->n_roots;
    capture->roots[capture->n_roots++] = (xt_root){
        .own = {.root = parent},
        .parent = parent,
        .pid = p->pid,
        .ses = p->ses,
        .has_session = p->ses != UINT64_MAX,
    };
    return 0;
}

/* The processes below a root: the big ones are roots too, the others are put together to stretches. */
static int cut_root(cut *c, const process *root)
{
    uint32_t n = 0;
    int32_t tree = NONE;
    int r = 0;
    c->capture->roots[root->root].first_tree = c->capture->n_trees;
    for (int32_t i = root->first_child; i != NONE && r == 0; i = c->processes[i].next_child) {
        process *p = &c->processes[i];
        if (p->n_all > MAX_TREE) {
            r = add_root(c, p, root->root);
            continue;
        }
        if (tree == NONE)
            r = add_tree(c, root->root, &tree);
        p->tree = tree;
        n += p->n_all;
        if (n >= STRETCH) {
            n = 0;
            tree = NONE;
        }
    }
    c->capture->roots[root->root].n_trees = c->capture->n_trees - c->capture->roots[root->root].first_tree;
    return r;
}

static int cut_all(cut *c)
{
    int r = 0;
    for (size_t i = 0; i < c->n && r == 0; i++) {
        process *p = &c->processes[i];
        if (p->above == NONE && p->n_all > MAX_TREE)
            r = add_root(c, p, NONE);
        else if (p->above == NONE && p->n_all > 0)
            r = add_tree(c, NONE, &p->tree);
        if (r == 0 && p->root != NONE)
            r = cut_root(c, p);
        else if (p->above != NONE && p->tree == NONE)
            p->tree = c->processes[p->above].tree;
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ samples */

static int32_t reference(cut *c, xt_tree *tree, int32_t number, int32_t tree_index)
{
    if (number == NONE)
        return XT_SAMPLE_NONE;
    process *p = &c->processes[number];
    if (p->root != NONE && tree_index != NONE)
        return XT_SAMPLE_ROOT(p->root);
    if (p->local == NONE)
        p->local = (int32_t)tree->n_processes++;
    return p->local;
}

static int32_t session_of(const cut *c, const xt_tree *tree, uint64_t *sessions, const xt_raw_sample *raw)
{
    if (raw->ses == UINT64_MAX)
        return XT_SAMPLE_SES_NONE;
    if (tree->root >= 0 && c->capture->roots[tree->root].ses == raw->ses)
        return XT_SAMPLE_SES_OF_ROOT;
    for (int32_t i = 0; i < XT_SAMPLE_MAX_SESSIONS; i++) {
        if (sessions[i] == 0)
            sessions[i] = raw->ses + 1;
        if (sessions[i] == raw->ses + 1)
            return i;
    }
    return XT_SAMPLE_MAX_SESSIONS - 1;
}

/* Copies the samples of one tree (in time order, their numbers in `which`). */
static int fill_tree(cut *c, xt_tree *tree, const uint32_t *which, uint32_t n, int32_t tree_index,
                     xt_sample **ret_samples)
{
    uint64_t sessions[XT_SAMPLE_MAX_SESSIONS] = {0};
    xt_sample *samples = xt_arena_alloc(&c->capture->arena, n * sizeof *samples);
    uint32_t n_odd = 0;
    if (!samples)
        return xt_error_origin(-ENOMEM);
    int64_t start_ms = c->capture->raw[which[0]].time_ms;
    for (uint32_t i = 0; i < n; i++) {
        const xt_raw_sample *raw = &c->capture->raw[which[i]];
        const process *p = &c->processes[raw->process];
        samples[i] = raw->sample;
        samples[i].ppid = raw->ppid == UINT32_MAX ? XT_SAMPLE_NONE : reference(c, tree, p->parent, tree_index);
        if (samples[i].ppid == XT_SAMPLE_NONE)
            samples[i].flags = (uint16_t)(samples[i].flags & ~XT_SAMPLE_PARENT);
        samples[i].pid = reference(c, tree, raw->process, tree_index);
        samples[i].after_ms = (uint32_t)(raw->time_ms - start_ms);
        samples[i].ses = session_of(c, tree, sessions, raw);
        tree->has_session |= raw->ses != UINT64_MAX;
        n_odd += (raw->sample.flags & XT_SAMPLE_ODD) != 0;
    }
    *ret_samples = samples;
    tree->samples = samples;
    tree->n_samples = n;
    tree->is_odd = n_odd * 4 > n;
    return 0;
}

/* A tree of a root's own events: it is process 0, its parent a root or process 1. */
static int fill_root(cut *c, xt_root *root, process *p, const uint32_t *which, uint32_t n)
{
    xt_sample *samples = NULL;
    int r = fill_tree(c, &root->own, which, n, NONE, &samples);
    for (uint32_t i = 0; i < n && r == 0; i++) {
        samples[i].pid = 0;
        if (samples[i].ppid != XT_SAMPLE_NONE)
            samples[i].ppid = root->parent >= 0 ? XT_SAMPLE_ROOT(root->parent) : 1;
        if (samples[i].ses != XT_SAMPLE_SES_NONE)
            samples[i].ses = XT_SAMPLE_SES_OF_ROOT;
        samples[i].after_ms = 0;
    }
    root->own.n_processes = 2;
    root->same_session = root->parent >= 0 && p->above != NONE && c->processes[p->above].ses == p->ses;
    p->local = NONE;
    return r;
}

/* The samples by where they belong: trees from first_tree on, then roots from first_root on. */
static uint32_t place_of(const cut *c, uint32_t first_tree, uint32_t n_trees, const xt_raw_sample *raw)
{
    const process *p = &c->processes[raw->process];
    if (p->root != NONE)
        return raw->is_end ? UINT32_MAX : n_trees + (uint32_t)p->root - c->first_root;
    return (uint32_t)p->tree - first_tree;
}

static int fill_all(cut *c, uint32_t first_tree)
{
    xt_capture *capture = c->capture;
    uint32_t n_trees = capture->n_trees - first_tree, n = n_trees + capture->n_roots - c->first_root;
    uint32_t *ends = calloc((size_t)n + 1, sizeof *ends), *which = calloc(capture->n_raw + 1, sizeof *which);
    xt_sample *samples;
    int r = ends && which ? 0 : xt_error_origin(-ENOMEM);
    for (size_t i = 0; r == 0 && i < capture->n_raw; i++) {
        uint32_t place = place_of(c, first_tree, n_trees, &capture->raw[i]);
        if (place != UINT32_MAX)
            ends[place + 1]++;
    }
    for (uint32_t i = 0; r == 0 && i < n; i++)
        ends[i + 1] += ends[i];
    for (size_t i = 0; r == 0 && i < capture->n_raw; i++) {
        uint32_t place = place_of(c, first_tree, n_trees, &capture->raw[i]);
        if (place != UINT32_MAX)
            which[ends[place]++] = (uint32_t)i;
    }
    for (uint32_t i = 0; r == 0 && i < n_trees; i++) {
        uint32_t begin = i ? ends[i - 1] : 0;
        if (ends[i] > begin)
            r = fill_tree(c, &capture->trees[first_tree + i], which + begin, ends[i] - begin, (int32_t)i, &samples);
    }
    for (size_t i = 0; r == 0 && i < c->n; i++) {
        process *p = &c->processes[i];
        uint32_t at = p->root == NONE ? 0 : n_trees + (uint32_t)p->root - c->first_root;
        uint32_t begin = at ? ends[at - 1] : 0;
        if (p->root != NONE && ends[at] > begin)
            r = fill_root(c, &capture->roots[p->root], p, which + begin, ends[at] - begin);
    }
    free(ends);
    free(which);
    return r;
}

/* ------------------------------------------------------------------------------------------------ a command */

static bool is_shell(const xt_raw_sample *raw)
{
    return raw->sample.flags & XT_SAMPLE_STARTS && raw->comm && xt_slice_eq(raw->comm->bytes, XT_S("bash")) &&
           raw->tty && xt_slice_starts(raw->tty->bytes, XT_S("pts"));
}

/* Remembers a shell at a terminal and a command that it ran. */
static void find_command(cut *c)
{
    const xt_capture *capture = c->capture;
    for (size_t i = 0; i < capture->n_raw; i++) {
        const xt_raw_sample *shell = &capture->raw[i];
        if (!is_shell(shell))
            continue;
        for (size_t k = i + 1; k < capture->n_raw; k++) {
            const xt_raw_sample *raw = &capture->raw[k];
            const process *p = &c->processes[raw->process];
            if (p->parent == shell->process && raw->sample.flags & XT_SAMPLE_STARTS &&
                raw->sample.flags & XT_SAMPLE_PARENT && raw->tty == shell->tty && raw->ses == shell->ses) {
                c->capture->shell = shell->sample;
                c->capture->command = raw->sample;
                c->capture->has_command = true;
                return;
            }
        }
    }
}

/* Values of the command with another program and other arguments. */
static const xt_sample_value *other_values(xt_capture *c, const char *exe, const xt_text *args, const xt_text *paths)
{
    const xt_sample *from = &c->command;
    const char *slash = strrchr(exe, '/');
    xt_sample_value *values = xt_arena_alloc(&c->arena, from->n_values * sizeof *values);
    const xt_text *program = xt_capture_intern(c, xt_slice_str(exe), false);
    const xt_text *comm = xt_capture_intern(c, xt_slice_str(slash ? slash + 1 : exe), false);
    for (uint16_t i = 0; values && i < from->n_values; i++) {
        values[i] = from->values[i];
        values[i].text = values[i].field == XT_F_EXE     ? program
                         : values[i].field == XT_F_COMM  ? comm
                         : values[i].field == XT_F_ARGS  ? args
                         : values[i].field == XT_F_PATHS ? paths
                                                         : values[i].text;
    }
    return program && comm ? values : NULL;
}

/* The paths of an exec of another program: item 0 has its name. */
static const xt_text *other_paths(xt_capture *c, const char *exe)
{
    xt_path paths[4];
    xt_buf out = XT_BUF_INIT;
    size_t n = 0;
    for (uint16_t i = 0; i < c->command.n_values; i++) {
        if (c->command.values[i].field != XT_F_PATHS)
            continue;
        xt_path_iter iter = xt_paths_iterate(c->command.values[i].text->bytes);
        while (n < XT_COUNT_OF(paths) && xt_paths_next(&iter, &paths[n]))
            n++;
    }
    if (n > 0)
        paths[0].name = xt_slice_str(exe);
    xt_paths_put(&out, paths, n);
    const xt_text *text = xt_buf_done(&out) == 0 ? xt_capture_intern(c, xt_buf_slice(&out), true) : NULL;
    xt_buf_fini(&out);
    return text;
}

const xt_tree *xt_capture_command(xt_capture *c, const char *exe, const xt_slice *args, size_t n_args)
{
    xt_tree *tree = xt_arena_new(&c->arena, xt_tree);
    xt_sample *samples = xt_arena_array(&c->arena, 2, sizeof *samples);
    xt_buf list = XT_BUF_INIT;
    if (!tree || !samples || !c->has_command)
        return NULL;
    xt_list_put(&list, args, n_args);
    const xt_text *text = xt_buf_done(&list) == 0 ? xt_capture_intern(c, xt_buf_slice(&list), false) : NULL;
    xt_buf_fini(&list);
    const xt_text *paths = other_paths(c, exe);
    const xt_sample_value *values = text && paths ? other_values(c, exe, text, paths) : NULL;
    if (!values || xt_capture_patch(c) < 0)
        return NULL;
    samples[0] = c->shell;
    samples[1] = c->command;
    samples[0].flags = (uint16_t)(samples[0].flags & ~XT_SAMPLE_PARENT);
    samples[1].values = values;
    samples[0].pid = samples[1].ppid = 1;
    samples[0].ppid = 0;
    samples[1].pid = 2;
    samples[0].ses = samples[1].ses = 0;
    samples[0].after_ms = 0;
    samples[1].after_ms = 9000;
    *tree = (xt_tree){.samples = samples, .n_samples = 2, .n_processes = 3, .root = NONE, .has_session = true};
    return tree;
}

/* ------------------------------------------------------------------------------------------------ all of it */

static int by_time(const void *a, const void *b)
{
    const xt_raw_sample *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

int xt_capture_cut(xt_capture *capture)
{
    cut c = {.capture = capture, .first_root = capture->n_roots};
    uint32_t first_tree = capture->n_trees;
    int r = 0;
    c.by_pid = malloc(N_PIDS * sizeof *c.by_pid);
    if (!c.by_pid)
        return xt_error_origin(-ENOMEM);
    memset(c.by_pid, 0xff, N_PIDS * sizeof *c.by_pid); /* NONE */
    if (capture->n_raw > 0)
        qsort(capture->raw, capture->n_raw, sizeof *capture->raw, by_time);
    for (size_t i = 0; i < capture->n_raw && r == 0; i++)
        r = see(&c, &capture->raw[i]);
    if (r == 0)
        r = link_all(&c);
    if (r == 0)
        r = cut_all(&c);
    if (r == 0)
        r = fill_all(&c, first_tree);
    if (r == 0 && !capture->has_command)
        find_command(&c);
    free(c.by_pid);
    free(c.processes);
    xt_map_fini(&c.first_of_ses);
    return xt_error_trace(r);
}

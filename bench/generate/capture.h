/*
 * bench/generate/capture - real captures cut into process trees that can be played again on any host
 *
 * Shape:     a tree is a run of events in time order whose processes are numbered from 0. The scripts, shells and daemons
 *            under which very many processes ran are roots: they begin once a day on a host (those that were never seen
 *            executing: once a boot), and their children are cut into trees.
 * Patches:   what is a host's own is not in the events (time, serial, pids, session, boot) or has a place in their bytes
 *            that is written anew: two people (A and B: their names have five and three letters) and inodes. No length
 *            changes.
 * Ownership: everything lives as long as the capture.
 * Threads:   read by one thread, then constant.
 */
#pragma once
#include "event/event.h"

typedef enum xt_patch_kind {
    XT_PATCH_NAME_A,
    XT_PATCH_NAME_B,
    XT_PATCH_UID_A, /* a varint of two bytes */
    XT_PATCH_UID_B,
    XT_PATCH_INODE,       /* a varint of n bytes: a file that stays */
    XT_PATCH_INODE_FRESH, /* one that was made for this run */
} xt_patch_kind;

typedef struct xt_patch {
    uint32_t offset;
    uint8_t kind, n;
    uint64_t inode;
} xt_patch;

/* Distinct bytes. */
typedef struct xt_text {
    xt_slice bytes;
    uint32_t id; /* from 0, consecutive */
    uint32_t n_patches;
    bool is_paths;
    const xt_patch *patches;
} xt_text;

typedef enum xt_person { XT_PERSON_NONE, XT_PERSON_A, XT_PERSON_B } xt_person;

typedef struct xt_sample_value {
    const xt_text *text; /* NULL: a number */
    uint64_t num;
    uint16_t field;
    uint16_t person; /* of a user or group id */
} xt_sample_value;

enum {
    XT_SAMPLE_STARTS = 1 << 0, /* a successful exec: its process is another program from here on */
    XT_SAMPLE_ENTITY = 1 << 1, /* says which process it was, though it did not begin one */
    XT_SAMPLE_PARENT = 1 << 2, /* knows its parent's entity */
    XT_SAMPLE_ARGS = 1 << 3,
    XT_SAMPLE_ODD = 1 << 4,
};

#define XT_SAMPLE_NONE         INT32_MIN
#define XT_SAMPLE_ROOT(root)   (-1 - (int32_t)(root)) /* a process that is a root */
#define XT_SAMPLE_SES_NONE     (-1)
#define XT_SAMPLE_SES_OF_ROOT  100
#define XT_SAMPLE_MAX_SESSIONS 8

typedef struct xt_sample {
    const xt_sample_value *values;
    uint16_t n_values, flags;
    int32_t pid, ppid; /* process of the tree, XT_SAMPLE_ROOT or XT_SAMPLE_NONE */
    int32_t ses;       /* session of the tree, XT_SAMPLE_SES_... */
    uint32_t after_ms; /* since the tree began */
} xt_sample;

typedef struct xt_tree {
    const xt_sample *samples;
    uint32_t n_samples, n_processes;
    int32_t root; /* -1: none */
    bool has_session;
    bool is_odd; /* of a test of odd executions: rare on a real host */
} xt_tree;

typedef struct xt_root {
    xt_tree own;    /* what it executed itself; n_samples 0: a daemon that was there before */
    int32_t parent; /* root that it runs under, -1 */
    uint32_t pid;   /* in the capture, as is ses */
    uint64_t ses;
    bool has_session;
    bool same_session; /* as its parent */
    uint32_t first_tree, n_trees;
} xt_root;

typedef struct xt_capture xt_capture;
XT_MUST_USE int xt_capture_new(xt_capture **ret);
xt_capture *xt_capture_free(xt_capture *capture);
/* Adds a file of audit text (FILE.zst too). */
XT_MUST_USE int xt_capture_read(xt_capture *capture, const char *path, xt_problem *reterr_problem);
const xt_tree *xt_capture_trees(const xt_capture *capture, uint32_t *ret_n);
const xt_root *xt_capture_roots(const xt_capture *capture, uint32_t *ret_n);
uint32_t xt_capture_texts(const xt_capture *capture);
const xt_text *xt_capture_text(const xt_capture *capture, uint32_t id);
/* A tree of two: a shell at a terminal and, below it, the same with other arguments and program. NULL: none fits. */
XT_MUST_USE const xt_tree *xt_capture_command(xt_capture *capture, const char *exe, const xt_slice *args,
                                              size_t n_args);

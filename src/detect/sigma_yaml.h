/*
 * detect/sigma_yaml - YAML text as a tree that knows where each value stands
 *
 * Shape:     one tree a document; a node is a scalar, a list or a map, with line and column. Maps keep their order.
 * Errors:    XT_SIGMA_YAML_E_BAD with a problem that names line and column: text that is no YAML, a key twice in one
 *            map, a key that is no scalar, or a limit passed. <0 memory.
 * Ownership: nodes and texts stand in the arena.
 * Limits:    XT_SIGMA_YAML_MAX_*; an alias counts with all that it stands for, so that a small file cannot grow.
 * Threads:   one at a time per arena.
 */
#pragma once
#include "base/arena.h"
#include "base/problem.h"

#define XT_SIGMA_YAML_MAX_DEPTH 24
#define XT_SIGMA_YAML_MAX_NODES 50000 /* of one document, aliases written out */
#define XT_SIGMA_YAML_MAX_BYTES (1u << 20)

enum {
    XT_SIGMA_YAML_E_BAD = 1,
};

typedef enum xt_yaml_kind { XT_YAML_SCALAR, XT_YAML_LIST, XT_YAML_MAP } xt_yaml_kind;

typedef struct xt_yaml_node {
    xt_yaml_kind kind;
    bool plain;    /* scalar without quotes: may mean null, a number, true */
    xt_slice text; /* scalar */
    uint32_t line, column;
    struct xt_yaml_node *key;   /* inside a map: the key's scalar, else NULL */
    struct xt_yaml_node *first; /* list and map: members, linked by next */
    struct xt_yaml_node *next;
    uint32_t n;      /* members */
    uint32_t weight; /* nodes below and with it, aliases written out */
} xt_yaml_node;

/* All documents of a text; *ret is an array of *ret_n roots. A root that is empty is left out. */
XT_MUST_USE int xt_yaml_parse(xt_arena *arena, xt_slice text, xt_yaml_node ***ret, size_t *ret_n,
                              xt_problem *reterr_problem);
/* The value of a key, or NULL (also when map is NULL or no map). */
const xt_yaml_node *xt_yaml_find(const xt_yaml_node *map, const char *key);
/* A plain ~, null, Null, NULL or nothing at all. */
bool xt_yaml_is_null(const xt_yaml_node *node);
/* Line and column of node into problem. */
void xt_yaml_at(xt_problem *problem, const xt_yaml_node *node);

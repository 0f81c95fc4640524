/* cli/explain_print - what a query did, for people: the `explain` object of an answer as lines of text */
#pragma once
#include <jansson.h>
#include <stdio.h>

void xt_explain_print(const json_t *explain, FILE *out);

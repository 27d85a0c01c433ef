/* Element-wise steps whose results only other element-wise steps use become one step, before memory is planned: what lies between needs none. */
#include <stdlib.h>
#include <string.h>

#include "session/plan_internal.h"
#include "session/vulkan_internal.h"
#include "vulkan/chain.h"

/* Who touches a buffer. */
typedef struct Users {
  int reads, writes; /* by steps; the graph's inputs and outputs count as both */
  int writer;        /* the last step that writes it */
} Users;

typedef struct Tree {
  int members[FV_VK_CHAIN_OPERATIONS]; /* steps, the root first */
  int member_count;
  int inputs[FV_VK_CHAIN_INPUTS];      /* slots */
  int input_count;
} Tree;

typedef struct Search {
  FvPlan *plan;
  Users *users;                   /* by buffer */
  FvVkChainOperation *operations; /* by step */
  bool *takes;                    /* by step: can be a member, and is none yet */
  Tree tree;
} Search;

static void count_slot(Search *search, int slot, bool reads, bool writes, int step) {
  const FvSlot *found = slot < 0 ? NULL : &search->plan->layout.slots[slot];
  if (!found || found->place != FV_PLACE_BUFFER) return;
  Users *users = &search->users[found->buffer];
  users->reads += reads;
  users->writes += writes;
  if (writes) users->writer = step;
}

static void look_at_steps(Search *search) {
  const FvPlan *plan = search->plan;
  for (int i = 0; i < plan->graph->input_count; i++) count_slot(search, plan->inputs[i], true, true, -1);
  for (int i = 0; i < plan->graph->output_count; i++) count_slot(search, plan->outputs[i], true, true, -1);
  for (int s = 0; s < plan->step_count; s++) {
    const FvStep *step = &plan->steps[s];
    for (int i = 0; i < step->node->input_count; i++) count_slot(search, step->in[i], true, false, s);
    for (int i = 0; i < step->node->output_count; i++) count_slot(search, step->out[i], false, true, s);
    search->takes[s] = step->kernel && !step->is_dynamic && fv_vk_chain_takes(step->kernel, step->node, &search->operations[s]);
  }
}

static bool same_dims(const FvTensor *a, const FvTensor *b) { return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims[0] * (size_t)a->rank) == 0; }

/* The step that makes what a slot holds, when nobody else wants it and it has the root's shape; else -1. */
static int absorbable(const Search *search, int slot) {
  const FvPlan *plan = search->plan;
  const FvSlot *found = &plan->layout.slots[slot];
  if (found->place != FV_PLACE_BUFFER) return -1;
  const Users *users = &search->users[found->buffer];
  if (users->reads != 1 || users->writes != 1 || users->writer < 0) return -1;
  const FvStep *writer = &plan->steps[users->writer];
  bool fits = search->takes[users->writer] && writer->out[0] == slot && same_dims(&found->tensor, fv_plan_tensor(plan, plan->steps[search->tree.members[0]].out[0]));
  return fits ? users->writer : -1;
}

static bool add_input(Tree *tree, int slot) {
  for (int i = 0; i < tree->input_count; i++)
    if (tree->inputs[i] == slot) return true;
  if (tree->input_count == FV_VK_CHAIN_INPUTS) return false;
  tree->inputs[tree->input_count++] = slot;
  return true;
}

static bool add_inputs(Tree *tree, const FvStep *step) {
  for (int i = 0; i < step->node->input_count; i++)
    if (!add_input(tree, step->in[i])) return false;
  return true;
}

static int compare_steps(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int value_of(const Search *search, int slot) {
  const Tree *tree = &search->tree;
  for (int i = 0; i < tree->input_count; i++)
    if (tree->inputs[i] == slot) return i;
  for (int m = 0; m < tree->member_count; m++)
    if (search->plan->steps[tree->members[m]].out[0] == slot) return FV_VK_CHAIN_INPUTS + m;
  return 0;
}

/* Members in the order of their steps, which is one of computing. */
static const FvVkKernel *describe(Search *search, FvVkChain *chain) {
  Tree *tree = &search->tree;
  const FvTensor *inputs[FV_VK_CHAIN_INPUTS];
  int root = tree->members[0];
  qsort(tree->members, (size_t)tree->member_count, sizeof tree->members[0], compare_steps);
  for (int i = 0; i < tree->input_count; i++) inputs[i] = fv_plan_tensor(search->plan, tree->inputs[i]);
  chain->count = tree->member_count;
  for (int m = 0; m < tree->member_count; m++) {
    const FvStep *step = &search->plan->steps[tree->members[m]];
    FvVkChainOperation *operation = &chain->operations[m];
    *operation = search->operations[tree->members[m]];
    operation->a = value_of(search, step->in[0]);
    operation->b = operation->binary ? value_of(search, step->in[1]) : 0;
  }
  return fv_vk_chain_kernel(chain, fv_plan_tensor(search->plan, search->plan->steps[root].out[0]), inputs, tree->input_count);
}

/* Takes producers in, one input after another, as long as the shader can run the whole. */
static const FvVkKernel *grow(Search *search, int root, FvVkChain *chain) {
  Tree *tree = &search->tree;
  const FvVkKernel *kernel = NULL;
  *tree = (Tree){.members = {root}, .member_count = 1};
  if (!add_inputs(tree, &search->plan->steps[root])) return NULL;
  for (int i = 0; i < tree->input_count && tree->member_count < FV_VK_CHAIN_OPERATIONS;) {
    int writer = absorbable(search, tree->inputs[i]);
    Tree before = *tree;
    FvVkChain tried = {0};
    const FvVkKernel *found = NULL;
    if (writer >= 0) {
      tree->inputs[i] = tree->inputs[--tree->input_count];
      tree->members[tree->member_count++] = writer;
      Tree grown = *tree;
      if (add_inputs(tree, &search->plan->steps[writer])) {
        grown = *tree;
        found = describe(search, &tried);
      }
      *tree = grown;
    }
    if (!found) {
      *tree = before;
      i++;
      continue;
    }
    kernel = found;
    *chain = tried;
  }
  return kernel;
}

static const char *join_names(FvPlan *plan, const Tree *tree) {
  size_t size = 1;
  for (int m = 0; m < tree->member_count; m++) size += strlen(plan->steps[tree->members[m]].node->op->name) + 1;
  char *names = fv_arena_alloc(&plan->arena, size), *at = names;
  if (!names) return NULL;
  for (int m = 0; m < tree->member_count; m++) at = stpcpy(stpcpy(at, m ? "+" : ""), plan->steps[tree->members[m]].node->op->name);
  return names;
}

/* Puts one step in place of the root; the others lose their kernel and go at the end. */
static int replace(Search *search, int root, const FvVkChain *chain, const FvVkKernel *kernel, FvError *err) {
  FvPlan *plan = search->plan;
  Tree *tree = &search->tree;
  FvStep *step = &plan->steps[root];
  FvNode *node = fv_arena_alloc(&plan->arena, sizeof *node);
  FvVkChain *params = fv_arena_alloc(&plan->arena, sizeof *params);
  FvValue **inputs = fv_arena_array(&plan->arena, (size_t)tree->input_count, sizeof *inputs); /* none: slots say what is read */
  int *in = fv_arena_array(&plan->arena, (size_t)tree->input_count + 1, sizeof *in);
  if (!node || !params || !inputs || !in) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling");
  qsort(tree->members, (size_t)tree->member_count, sizeof tree->members[0], compare_steps);
  *params = *chain;
  *node = (FvNode){.op = &fv_vk_chain_op, .name = fv_node_label(step->node), .opset = 1, .input_count = tree->input_count, .output_count = 1, .inputs = inputs,
                   .outputs = step->node->outputs, .params = params, .fused_name = join_names(plan, tree)};
  for (int i = 0; i < tree->input_count; i++) in[i] = tree->inputs[i];
  for (int m = 0; m < tree->member_count; m++) {
    search->takes[tree->members[m]] = false;
    if (tree->members[m] != root) plan->steps[tree->members[m]].node = NULL;
  }
  step->node = node;
  step->kernel = kernel;
  step->in = in;
  return 0;
}

static void close_ranks(FvPlan *plan) {
  int kept = 0;
  for (int s = 0; s < plan->step_count; s++)
    if (plan->steps[s].node) plan->steps[kept++] = plan->steps[s];
  plan->step_count = kept;
}

/* From the last step back, so that a root is the end of its chain. */
static int combine(Search *search, FvError *err) {
  int result = 0;
  look_at_steps(search);
  for (int s = search->plan->step_count - 1; s >= 0 && result == 0; s--) {
    FvVkChain chain;
    const FvVkKernel *kernel = search->takes[s] ? grow(search, s, &chain) : NULL;
    if (kernel) result = replace(search, s, &chain, kernel, err);
  }
  close_ranks(search->plan);
  return result;
}

int fv_vulkan_combine(FvPlan *plan, FvError *err) {
  if (plan->flags & FV_PLAN_NO_FUSION) return 0;
  size_t steps = (size_t)plan->step_count + 1;
  Search search = {.plan = plan, .users = calloc((size_t)plan->layout.buffer_count + 1, sizeof *search.users),
                   .operations = calloc(steps, sizeof *search.operations), .takes = calloc(steps, sizeof *search.takes)};
  int result = search.users && search.operations && search.takes ? combine(&search, err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  free(search.takes);
  free(search.operations);
  free(search.users);
  return result;
}

#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "container/format.h"
#include "container/graph_code.h"
#include "container/storage.h"
#include "ir/op.h"

/* The format's numbers of element types are those of FvDtype, and must stay so. */
_Static_assert(FV_DTYPE_F32 == 1 && FV_DTYPE_I8 == 5 && FV_DTYPE_I64 == 11 && FV_DTYPE_BOOL == 13 && FV_DTYPE_COUNT == 14, "docs/format.md");

enum { WORTH_SHARING = 16 /* bytes: to name another tensor costs two or three */ };

/* Texts by content: a table that is open-addressed, with the index + 1 of a text in each slot. */
typedef struct Texts {
  const char **texts;
  uint32_t count, capacity; /* capacity is a power of two; half of it is used at most */
  uint32_t *slots;
  bool failed;
} Texts;

typedef struct Operator {
  const FvOp *op;
  int opset;
} Operator;

typedef struct Kept {
  const FvTensor *tensor;
  bool rounded; /* to binary16 */
} Kept;

typedef struct Encoder {
  FvGraph *graph;
  const FvGraphHead *head;
  FvWeightKind weights;
  FvBytes front, body;         /* what stands before the list of blocks, and behind */
  FvBlockWriter blocks;
  int64_t grid_base;           /* of the grid tensor before */
  Kept *tensors;               /* those with elements of their own, in the order of their numbers */
  int tensor_count, tensor_capacity;
  bool all_names;              /* a name could be taken for one that the reader makes */
  int mentioned;               /* values that nodes named so far, with the inputs; they are numbered in that order */
  int blocks_used;
  Texts texts;
  FvValue **values;            /* by slot - 1 */
  bool *is_weight;             /* by slot - 1: every use is a weight of a convolution or matrix product */
  int value_count;
  Operator *operators;
  int operator_count;
} Encoder;

static uint32_t hash_text(const char *text) {
  uint32_t hash = 2166136261u; /* FNV-1a; our own names, nobody aims at collisions */
  for (; *text; text++) hash = (hash ^ (uint8_t)*text) * 16777619u;
  return hash;
}

static bool texts_grow(Texts *texts) {
  uint32_t capacity = texts->capacity ? texts->capacity * 2 : 1024;
  const char **grown = realloc(texts->texts, sizeof *grown * capacity);
  if (grown) texts->texts = grown;
  uint32_t *slots = calloc(capacity, sizeof *slots);
  if (!grown || !slots) {
    free(slots);
    return !(texts->failed = true);
  }
  for (uint32_t i = 0; i < texts->count; i++) {
    uint32_t at = hash_text(texts->texts[i]) & (capacity - 1);
    while (slots[at]) at = (at + 1) & (capacity - 1);
    slots[at] = i + 1;
  }
  free(texts->slots);
  texts->slots = slots;
  texts->capacity = capacity;
  return true;
}

static uint32_t text_index(Texts *texts, const char *text) {
  if (texts->failed || (texts->count * 2 >= texts->capacity && !texts_grow(texts))) return 0;
  uint32_t at = hash_text(text) & (texts->capacity - 1);
  while (texts->slots[at] && strcmp(texts->texts[texts->slots[at] - 1], text) != 0) at = (at + 1) & (texts->capacity - 1);
  if (!texts->slots[at]) {
    texts->texts[texts->count] = text;
    texts->slots[at] = ++texts->count;
  }
  return texts->slots[at] - 1;
}

static void put_number(Encoder *e, uint64_t value) { fv_put_number(&e->body, value); }
static void put_text(Encoder *e, const char *text) { put_number(e, text_index(&e->texts, text)); }
static void put_front_text(Encoder *e, const char *text) { fv_put_number(&e->front, text_index(&e->texts, text)); }
static void put_float(Encoder *e, float value) {
  uint8_t bits[4];
  fv_set_u32(bits, fv_f32_to_bits(value));
  fv_bytes_append(&e->body, bits, sizeof bits);
}

/* --- which values and operators there are --- */

static void number_value(Encoder *e, FvValue *value) {
  if (!value || value->slot) return;
  e->values[e->value_count] = value;
  e->is_weight[e->value_count] = true;
  value->slot = ++e->value_count;
}

static bool is_weight_input(const FvNode *node, int input) {
  FvOpKind kind = node->op->kind;
  return (input == 1 && (kind == FV_OP_CONV || kind == FV_OP_CONV_TRANSPOSE)) || (input <= 1 && (kind == FV_OP_GEMM || kind == FV_OP_MATMUL));
}

static int operator_index(Encoder *e, const FvNode *node) {
  for (int i = 0; i < e->operator_count; i++)
    if (e->operators[i].op == node->op && e->operators[i].opset == node->opset) return i;
  e->operators[e->operator_count] = (Operator){node->op, node->opset};
  return e->operator_count++;
}

static void number_all(Encoder *e) {
  FvGraph *graph = e->graph;
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->slot = 0;
  for (int i = 0; i < graph->input_count; i++) number_value(e, graph->inputs[i]);
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    operator_index(e, node);
    for (int i = 0; i < node->input_count; i++) {
      number_value(e, node->inputs[i]);
      if (node->inputs[i] && !is_weight_input(node, i)) e->is_weight[node->inputs[i]->slot - 1] = false;
    }
    for (int i = 0; i < node->output_count; i++) number_value(e, node->outputs[i]);
  }
  for (int i = 0; i < graph->output_count; i++) {
    number_value(e, graph->outputs[i]);
    e->is_weight[graph->outputs[i]->slot - 1] = false;
  }
}

/* --- parts --- */

/* Streams of biases, scales, shapes and zero points are kept apart: they have different distributions. */
static int family_of(const FvTensor *tensor, const FvPacked *packed) { return (int)packed->storage.form * FV_DTYPE_COUNT + (int)tensor->dtype; }

static bool is_same(const FvTensor *a, const FvTensor *b) {
  size_t bytes = (size_t)fv_tensor_count(a) * fv_dtype_size(a->dtype);
  return a->dtype == b->dtype && a->rank == b->rank && memcmp(a->dims, b->dims, sizeof *a->dims * (size_t)a->rank) == 0 && memcmp(a->data, b->data, bytes) == 0;
}

/* The number of a tensor with the same elements, or the number of tensors. Heads that share their weights are exported as copies. */
static int find_same(const Encoder *e, const FvTensor *tensor, bool rounded) {
  int i = 0;
  if ((size_t)fv_tensor_count(tensor) * fv_dtype_size(tensor->dtype) < WORTH_SHARING) return e->tensor_count;
  while (i < e->tensor_count && (e->tensors[i].rounded != rounded || !is_same(e->tensors[i].tensor, tensor))) i++;
  return i;
}

static bool remember(Encoder *e, const FvTensor *tensor, bool rounded) {
  if (e->tensor_count == e->tensor_capacity) {
    int capacity = e->tensor_capacity ? 2 * e->tensor_capacity : 256;
    Kept *grown = realloc(e->tensors, sizeof *grown * (size_t)capacity);
    if (!grown) return false;
    e->tensors = grown;
    e->tensor_capacity = capacity;
  }
  e->tensors[e->tensor_count++] = (Kept){tensor, rounded};
  return true;
}

static void put_codebook(Encoder *e, const FvStorage *storage) {
  fv_put_byte(&e->body, storage->entries - 1);
  fv_put_byte(&e->body, storage->zero);
  fv_put_byte(&e->body, storage->half_entries);
  for (unsigned i = 0; i < storage->entries; i++) {
    uint16_t half = fv_f32_to_f16(storage->codebook[i]);
    if (storage->half_entries)
      fv_bytes_append(&e->body, (uint8_t[]){(uint8_t)half, (uint8_t)(half >> 8)}, 2);
    else
      put_float(e, storage->codebook[i]);
  }
}

static void put_elements(Encoder *e, const FvTensor *tensor, bool round) {
  FvPacked *packed = malloc(sizeof *packed);
  if (!packed || !remember(e, tensor, round)) {
    e->blocks.failed = true;
    free(packed);
    return;
  }
  fv_storage_pack(tensor, round, packed);
  FvBlockPlace place = fv_blocks_add(&e->blocks, packed->kind, family_of(tensor, packed), packed->elements, (uint64_t)fv_tensor_count(tensor));
  fv_put_byte(&e->body, packed->storage.form);
  put_number(e, place.block == e->blocks_used ? 0 : (uint64_t)place.block + 1);
  e->blocks_used += place.block == e->blocks_used;
  if (packed->storage.form == FV_STORAGE_GRID) {
    fv_put_signed(&e->body, packed->storage.base - e->grid_base);
    e->grid_base = packed->storage.base;
  }
  if (packed->storage.form == FV_STORAGE_CODEBOOK) put_codebook(e, &packed->storage);
  free(packed->elements);
  free(packed);
}

static void put_tensor(Encoder *e, const FvTensor *tensor, bool is_weight) {
  fv_put_byte(&e->body, tensor->dtype);
  put_number(e, (uint64_t)tensor->rank);
  for (int d = 0; d < tensor->rank; d++) put_number(e, (uint64_t)tensor->dims[d]);
  if (fv_tensor_count(tensor) == 0) return;
  bool round = is_weight && e->weights == FV_WEIGHTS_F16;
  int same = find_same(e, tensor, round);
  if (same == e->tensor_count) {
    put_elements(e, tensor, round);
    return;
  }
  fv_put_byte(&e->body, FV_STORAGE_SAME);
  put_number(e, (uint64_t)same);
}

/* Names that nobody outside asks for are left out: half of a small graph is names. */
static bool has_name(const Encoder *e, const FvValue *value) { return e->all_names || value->is_input || value->is_output; }

static void put_value(Encoder *e, int index) {
  const FvValue *value = e->values[index];
  put_text(e, has_name(e, value) ? value->name : "");
  fv_put_byte(&e->body, value->constant ? FV_VALUE_CONSTANT : value->is_input ? FV_VALUE_INPUT : FV_VALUE_COMPUTED);
  if (value->constant)
    put_tensor(e, value->constant, e->is_weight[index]);
  else if (value->is_input) {
    fv_put_byte(&e->body, value->dtype);
    put_number(e, (uint64_t)(value->rank + 1));
    for (int d = 0; d < value->rank; d++) put_number(e, (uint64_t)(value->dims[d] + 1));
  }
}

static void put_attribute(Encoder *e, const FvAttr *attr) {
  put_text(e, attr->name);
  fv_put_byte(&e->body, attr->kind + 1u);
  if (attr->kind == FV_ATTR_INTS || attr->kind == FV_ATTR_FLOATS || attr->kind == FV_ATTR_STRINGS) put_number(e, (uint64_t)attr->count);
  switch (attr->kind) {
    case FV_ATTR_INT: fv_put_signed(&e->body, attr->i); break;
    case FV_ATTR_FLOAT: put_float(e, attr->f); break;
    case FV_ATTR_STRING: put_text(e, attr->s); break;
    case FV_ATTR_TENSOR: put_tensor(e, attr->tensor, false); break;
    case FV_ATTR_INTS:
      for (int i = 0; i < attr->count; i++) fv_put_signed(&e->body, attr->ints[i]);
      break;
    case FV_ATTR_FLOATS:
      for (int i = 0; i < attr->count; i++) put_float(e, attr->floats[i]);
      break;
    case FV_ATTR_STRINGS:
      for (int i = 0; i < attr->count; i++) put_text(e, attr->strings[i]);
      break;
  }
}

/* Values by how far back they were first mentioned, which is much the same from node to node. */
static void put_places(Encoder *e, FvValue *const *values, int count) {
  put_number(e, (uint64_t)count);
  for (int i = 0; i < count; i++) {
    int index = values[i] ? values[i]->slot - 1 : 0;
    put_number(e, values[i] ? (uint64_t)(e->mentioned - index) + 1 : 0);
    e->mentioned += values[i] && index == e->mentioned;
  }
}

static void put_node(Encoder *e, const FvNode *node) {
  put_number(e, (uint64_t)operator_index(e, node));
  put_text(e, node->name);
  put_places(e, node->inputs, node->input_count);
  put_places(e, node->outputs, node->output_count);
  put_number(e, (uint64_t)node->attr_count);
  for (int i = 0; i < node->attr_count; i++) put_attribute(e, &node->attrs[i]);
}

static void put_ends(Encoder *e, FvValue *const *values, int count) {
  put_number(e, (uint64_t)count);
  for (int i = 0; i < count; i++) put_number(e, (uint64_t)values[i]->slot - 1);
}

static void put_all(Encoder *e) {
  const FvGraph *graph = e->graph;
  put_front_text(e, e->head->producer ? e->head->producer : "");
  fv_put_number(&e->front, (uint64_t)e->head->opset);
  fv_put_number(&e->front, (uint64_t)e->operator_count);
  for (int i = 0; i < e->operator_count; i++) {
    put_front_text(e, e->operators[i].op->domain ? e->operators[i].op->domain : "");
    put_front_text(e, e->operators[i].op->name);
    fv_put_number(&e->front, (uint64_t)e->operators[i].opset);
  }
  for (int i = 0; i < e->value_count; i++) e->all_names |= (e->values[i]->is_input || e->values[i]->is_output) && *e->values[i]->name == FV_FORMAT_MADE_NAME;
  e->mentioned = graph->input_count;
  put_number(e, (uint64_t)e->value_count);
  for (int i = 0; i < e->value_count; i++) put_value(e, i);
  put_ends(e, graph->inputs, graph->input_count);
  put_number(e, (uint64_t)graph->node_count);
  for (int n = 0; n < graph->node_count; n++) put_node(e, graph->nodes[n]);
  put_ends(e, graph->outputs, graph->output_count);
}

static bool put_strings(const Texts *texts, FvBytes *bytes) {
  fv_put_number(bytes, texts->count);
  for (uint32_t i = 0; i < texts->count; i++) {
    size_t size = strlen(texts->texts[i]);
    fv_put_number(bytes, size);
    fv_bytes_append(bytes, texts->texts[i], size);
  }
  return !texts->failed;
}

static int encode(Encoder *e, const FvCoderLimits *coders, FvBytes *graph_bytes, FvBytes *weight_bytes, FvError *err) {
  number_all(e);
  put_all(e);
  bool ok = put_strings(&e->texts, graph_bytes);
  fv_bytes_append(graph_bytes, e->front.data, e->front.size);
  int result = fv_blocks_code(&e->blocks, coders, graph_bytes, weight_bytes, err);
  fv_bytes_append(graph_bytes, e->body.data, e->body.size);
  ok = ok && !e->front.failed && !e->body.failed && !graph_bytes->failed && !weight_bytes->failed;
  return result < 0 || ok ? result : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
}

int fv_graph_encode(FvGraph *graph, const FvGraphHead *head, FvWeightKind weights, const FvCoderLimits *coders, FvBytes *graph_bytes, FvBytes *weight_bytes, FvError *err) {
  Encoder e = {.graph = graph, .head = head, .weights = weights};
  e.values = calloc((size_t)graph->value_count + 1, sizeof *e.values);
  e.is_weight = calloc((size_t)graph->value_count + 1, sizeof *e.is_weight);
  e.operators = calloc((size_t)graph->node_count + 1, sizeof *e.operators);
  int result = e.values && e.is_weight && e.operators ? encode(&e, coders, graph_bytes, weight_bytes, err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  fv_bytes_finish(&e.front);
  fv_bytes_finish(&e.body);
  fv_block_writer_finish(&e.blocks);
  free(e.tensors);
  free(e.texts.texts);
  free(e.texts.slots);
  free(e.values);
  free(e.is_weight);
  free(e.operators);
  return result;
}

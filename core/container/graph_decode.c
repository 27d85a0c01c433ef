#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/half.h"
#include "base/text.h"
#include "container/format.h"
#include "container/graph_code.h"
#include "container/weights.h"
#include "ir/log_grid.h"
#include "ir/names.h"
#include "ir/op.h"

enum { MAX_TEXTS = 4 * FV_MAX_VALUES, MAX_OPERATORS = 65536, MAX_ATTRIBUTES = 256, MAX_LIST = 1 << 24 };

typedef struct Operator {
  const FvOp *op;
  int opset;
} Operator;

typedef struct Decoder {
  FvByteReader reader;
  FvWeightLoad weights;
  int64_t grid_base;  /* of the grid tensor before */
  int mentioned;      /* values that nodes named so far, with the inputs */
  int blocks_used;    /* blocks that tensors named so far */
  FvGraph *graph;
  FvNames names;      /* those that the file gives */
  int marked;         /* of them look like made ones */
  const char **texts;
  uint32_t text_count;
  Operator *operators;
  uint32_t operator_count;
  FvModelFile *file;
  FvError *err;
} Decoder;

static int no_memory(Decoder *d) { return fv_error_set(d->err, FV_ERR_NO_MEMORY, "out of memory"); }
static int malformed(Decoder *d, const char *what) { return fv_error_set(d->err, FV_ERR_FORMAT, "section 'graph' is malformed in its %s", what); }

static void *make(Decoder *d, size_t count, size_t size) { return fv_arena_array(&d->graph->arena, count, size); }

static const char *read_text(Decoder *d) {
  uint32_t index = fv_read_index(&d->reader, d->text_count);
  return d->reader.failed ? "" : d->texts[index];
}

static int read_texts(Decoder *d) {
  d->text_count = fv_read_count(&d->reader, MAX_TEXTS);
  if (!(d->texts = make(d, d->text_count + 1u, sizeof *d->texts))) return no_memory(d);
  for (uint32_t i = 0; i < d->text_count; i++) {
    uint64_t size = fv_read_number(&d->reader);
    const uint8_t *text = fv_read_bytes(&d->reader, size);
    if (!text || memchr(text, 0, (size_t)size)) return malformed(d, "strings");
    if (!(d->texts[i] = fv_arena_strndup(&d->graph->arena, (const char *)text, (size_t)size))) return no_memory(d);
  }
  return 0;
}

static int read_head(Decoder *d) {
  const char *producer = read_text(d);
  d->file->opset = (int)fv_read_index(&d->reader, INT32_MAX);
  if (d->reader.failed) return malformed(d, "beginning");
  d->file->producer = fv_arena_printf(&d->graph->arena, "%.260s", producer);
  if (!d->file->producer) return no_memory(d);
  fv_text_clean(d->file->producer);
  return 0;
}

static int read_operators(Decoder *d) {
  d->operator_count = fv_read_count(&d->reader, MAX_OPERATORS);
  if (!(d->operators = make(d, d->operator_count + 1u, sizeof *d->operators))) return no_memory(d);
  for (uint32_t i = 0; i < d->operator_count; i++) {
    const char *domain = read_text(d), *name = read_text(d);
    uint32_t opset = fv_read_index(&d->reader, INT32_MAX);
    if (d->reader.failed || opset == 0) return malformed(d, "list of operators");
    d->operators[i] = (Operator){fv_op_find(domain, name), (int)opset};
    if (!d->operators[i].op)
      return fv_error_set(d->err, FV_ERR_UNSUPPORTED, "operator %.64s (domain %.64s, version %u) is not supported", name, domain, opset);
  }
  return 0;
}

/* --- tensors --- */

/* Which tensor errors are about: made into words only then. */
typedef struct Subject {
  const char *kind, *name;
} Subject;

static int wrong(Decoder *d, int code, Subject what, const char *why) { return fv_error_set(d->err, code, "%s '%.96s' %s", what.kind, what.name, why); }

static int read_shape(Decoder *d, Subject what, FvTensor *tensor) {
  int64_t count = 1;
  tensor->dtype = (FvDtype)fv_read_byte(&d->reader);
  tensor->rank = (int)fv_read_index(&d->reader, FV_MAX_RANK + 1);
  for (int i = 0; i < tensor->rank; i++) {
    uint64_t dim = fv_read_number(&d->reader);
    if (dim > (uint64_t)FV_MAX_DIM || !fv_mul_ok(count, (int64_t)dim, &count) || count > FV_MAX_ELEMENTS)
      return fv_error_set(d->err, FV_ERR_LIMIT, "%s '%.96s' has more than %lld elements", what.kind, what.name, (long long)FV_MAX_ELEMENTS);
    tensor->dims[i] = (int64_t)dim;
  }
  if (d->reader.failed || !fv_dtype_size(tensor->dtype)) return malformed(d, "tensors");
  fv_tensor_set_contiguous(tensor);
  return 0;
}

static int read_codebook(Decoder *d, FvStorage *storage) {
  float *codebook = make(d, FV_CODEBOOK_MAX, sizeof *codebook);
  if (!codebook) return no_memory(d);
  storage->entries = fv_read_byte(&d->reader) + 1u;
  storage->zero = fv_read_byte(&d->reader);
  unsigned half = fv_read_byte(&d->reader);
  if (storage->zero >= storage->entries || half > 1) return malformed(d, "codebooks");
  storage->half_entries = half;
  for (unsigned i = 0; i < storage->entries; i++) {
    const uint8_t *bits = fv_read_bytes(&d->reader, half ? 2 : 4);
    if (!bits) return malformed(d, "codebooks");
    codebook[i] = half ? fv_f16_to_f32((uint16_t)(bits[0] | bits[1] << 8)) : fv_f32_from_bits(fv_get_u32(bits));
  }
  storage->codebook = codebook;
  return 0;
}

static int read_same(Decoder *d, Subject what, FvTensor *tensor) {
  uint32_t index = fv_read_index(&d->reader, (uint32_t)d->weights.count);
  if (d->reader.failed) return malformed(d, "tensors");
  const FvTensor *other = d->weights.tensors[index].tensor;
  if (other->dtype != tensor->dtype || fv_tensor_count(other) != fv_tensor_count(tensor))
    return wrong(d, FV_ERR_FORMAT, what, "is said to be the same as a tensor of another size");
  tensor->data = other->data;
  return 0;
}

/* 0 is the first block that no tensor has named. */
static int read_block(Decoder *d) {
  uint32_t number = fv_read_index(&d->reader, (uint32_t)d->blocks_used + 1u);
  if (number) return (int)number - 1;
  if (d->blocks_used >= d->weights.block_count) d->reader.failed = true;
  return d->reader.failed ? 0 : d->blocks_used++;
}

/* Where the elements are, and how; they are decoded when all tensors are known. */
static int read_storage(Decoder *d, Subject what, FvTensor *tensor) {
  FvStorage storage = {.form = (FvTensorStorage)fv_read_byte(&d->reader)};
  if (storage.form == FV_STORAGE_SAME) return read_same(d, what, tensor);
  int block = read_block(d);
  if (storage.form == FV_STORAGE_GRID) {
    int64_t step = fv_read_signed(&d->reader);
    if (step < -2 * FV_LOG_GRID_MAX || step > 2 * FV_LOG_GRID_MAX) return malformed(d, "tensors");
    storage.base = d->grid_base += step;
  }
  int result = d->reader.failed ? malformed(d, "tensors") : storage.form == FV_STORAGE_CODEBOOK ? read_codebook(d, &storage) : 0;
  if (result < 0) return result;
  if (!fv_storage_fits(&storage, tensor->dtype, d->weights.blocks[block].kind.width)) return malformed(d, "tensors");
  result = fv_weights_take(&d->weights, &d->graph->arena, tensor, &storage, block);
  if (result == FV_ERR_NO_MEMORY) return no_memory(d);
  return result == 0 ? 0 : wrong(d, FV_ERR_FORMAT, what, "does not lie where section 'weights' can hold it");
}

static int read_tensor(Decoder *d, Subject what, FvTensor *tensor) {
  *tensor = (FvTensor){0};
  int result = read_shape(d, what, tensor);
  if (result < 0) return result;
  if (fv_tensor_count(tensor)) return read_storage(d, what, tensor);
  tensor->data = fv_arena_alloc(&d->graph->arena, 1);
  return tensor->data ? 0 : no_memory(d);
}

/* --- values --- */

static int read_input(Decoder *d, FvValue *value) {
  value->dtype = (FvDtype)fv_read_byte(&d->reader);
  value->rank = (int)fv_read_index(&d->reader, FV_MAX_RANK + 2) - 1;
  for (int i = 0; i < value->rank; i++) value->dims[i] = (int64_t)fv_read_index(&d->reader, (uint32_t)FV_MAX_DIM + 2u) - 1;
  if (d->reader.failed || !fv_dtype_size(value->dtype)) return malformed(d, "inputs");
  return 0;
}

static int read_constant(Decoder *d, FvValue *value) {
  FvTensor *constant = make(d, 1, sizeof *constant);
  if (!constant) return no_memory(d);
  int result = read_tensor(d, (Subject){"constant", value->name}, constant);
  if (result < 0) return result;
  value->constant = constant;
  value->dtype = constant->dtype;
  value->rank = constant->rank;
  memcpy(value->dims, constant->dims, sizeof value->dims);
  d->file->parameters += fv_tensor_count(constant);
  return 0;
}

static int defined_twice(Decoder *d, const char *name) { return fv_error_set(d->err, FV_ERR_FORMAT, "value '%.128s' is defined twice", name); }

enum { MADE_NAME = 16 };

/* The mark and the number; snprintf would take longer than all else that is done for a value. */
static const char *make_name(int number, char *text) {
  char *at = text + MADE_NAME - 1;
  *at = '\0';
  do *--at = (char)('0' + number % 10);
  while (number /= 10);
  *--at = FV_FORMAT_MADE_NAME;
  return at;
}

static int read_value(Decoder *d) {
  char made[MADE_NAME];
  const char *name = read_text(d);
  unsigned kind = fv_read_byte(&d->reader);
  if (d->reader.failed || kind > FV_VALUE_CONSTANT) return malformed(d, "list of values");
  bool is_made = !*name;
  int result = is_made ? 0 : fv_name_check(name, "value", d->err);
  if (result < 0) return result;
  if (is_made) name = make_name(d->graph->value_count, made);
  else if (fv_names_find(&d->names, name)) return defined_twice(d, name);
  FvValue *value = fv_graph_add_value(d->graph, name);
  if (!value || (!is_made && !fv_names_add(&d->names, value))) return no_memory(d);
  d->marked += !is_made && *name == FV_FORMAT_MADE_NAME;
  value->is_input = kind == FV_VALUE_INPUT; /* to be found again when the inputs are listed */
  if (kind == FV_VALUE_INPUT) return read_input(d, value);
  return kind == FV_VALUE_CONSTANT ? read_constant(d, value) : 0;
}

/* Made names are unique but for those that the file gives and that look like them. They are not looked up otherwise: most values have one. */
static int check_made_names(Decoder *d) {
  for (int i = 0; i < d->graph->value_count; i++) {
    const char *name = d->graph->values[i]->name;
    FvValue *given = *name == FV_FORMAT_MADE_NAME ? fv_names_find(&d->names, name) : NULL;
    if (given && given != d->graph->values[i]) return defined_twice(d, name);
  }
  return 0;
}

static int read_values(Decoder *d) {
  uint32_t count = fv_read_count(&d->reader, FV_MAX_VALUES);
  int result = 0;
  for (uint32_t i = 0; result == 0 && i < count; i++) result = read_value(d);
  return result == 0 && d->marked ? check_made_names(d) : result;
}

/* --- nodes --- */

static int read_ints(Decoder *d, FvAttr *attr) {
  int64_t *ints = make(d, (size_t)attr->count, sizeof *ints);
  if (!ints) return no_memory(d);
  for (int i = 0; i < attr->count; i++) ints[i] = fv_read_signed(&d->reader);
  attr->ints = ints;
  return 0;
}

static float read_float(Decoder *d) {
  const uint8_t *bits = fv_read_bytes(&d->reader, 4);
  return bits ? fv_f32_from_bits(fv_get_u32(bits)) : 0;
}

static int read_floats(Decoder *d, FvAttr *attr) {
  float *floats = make(d, (size_t)attr->count, sizeof *floats);
  if (!floats) return no_memory(d);
  for (int i = 0; i < attr->count; i++) floats[i] = read_float(d);
  attr->floats = floats;
  return 0;
}

static int read_strings(Decoder *d, FvAttr *attr) {
  const char **strings = make(d, (size_t)attr->count, sizeof *strings);
  if (!strings) return no_memory(d);
  for (int i = 0; i < attr->count; i++) strings[i] = read_text(d);
  attr->strings = strings;
  return 0;
}

static int read_attr_tensor(Decoder *d, FvAttr *attr) {
  FvTensor *tensor = make(d, 1, sizeof *tensor);
  if (!tensor) return no_memory(d);
  attr->tensor = tensor;
  return read_tensor(d, (Subject){"the tensor of attribute", attr->name}, tensor);
}

static int read_attribute(Decoder *d, FvAttr *attrs, int index) {
  FvAttr *attr = &attrs[index];
  attr->name = read_text(d);
  unsigned kind = fv_read_byte(&d->reader);
  if (d->reader.failed || kind < 1 || kind > FV_ATTR_TENSOR + 1 || !*attr->name) return malformed(d, "attributes");
  for (int i = 0; i < index; i++)
    if (strcmp(attrs[i].name, attr->name) == 0) return fv_error_set(d->err, FV_ERR_FORMAT, "attribute '%.64s' is given twice", attr->name);
  attr->kind = (FvAttrKind)(kind - 1);
  bool is_list = attr->kind == FV_ATTR_INTS || attr->kind == FV_ATTR_FLOATS || attr->kind == FV_ATTR_STRINGS;
  attr->count = is_list ? (int)fv_read_count(&d->reader, MAX_LIST) : 0;
  switch (attr->kind) {
    case FV_ATTR_INT: attr->i = fv_read_signed(&d->reader); return 0;
    case FV_ATTR_FLOAT: attr->f = read_float(d); return 0;
    case FV_ATTR_STRING: attr->s = read_text(d); return 0;
    case FV_ATTR_INTS: return read_ints(d, attr);
    case FV_ATTR_FLOATS: return read_floats(d, attr);
    case FV_ATTR_STRINGS: return read_strings(d, attr);
    default: return read_attr_tensor(d, attr);
  }
}

static int read_attributes(Decoder *d, FvNode *node) {
  int count = (int)fv_read_count(&d->reader, MAX_ATTRIBUTES), result = 0;
  FvAttr *attrs = make(d, (size_t)count, sizeof *attrs);
  if (!attrs) return no_memory(d);
  for (int i = 0; result == 0 && i < count; i++) result = read_attribute(d, attrs, i);
  node->attrs = attrs;
  node->attr_count = count;
  return result;
}

/* 0: left out; else how far back among the values in the order of their first mention, 1 being the next new one. The count is checked before. */
static void read_places(Decoder *d, FvValue **places, int count) {
  for (int i = 0; i < count; i++) {
    uint32_t back = fv_read_index(&d->reader, (uint32_t)d->mentioned + 2u);
    int index = back ? d->mentioned - (int)back + 1 : -1;
    if (index >= d->graph->value_count) d->reader.failed = true;
    places[i] = index < 0 || d->reader.failed ? NULL : d->graph->values[index];
    d->mentioned += index == d->mentioned && !d->reader.failed;
  }
}

static int check_inputs(Decoder *d, const FvNode *node) {
  int inputs = node->input_count;
  while (inputs && !node->inputs[inputs - 1]) inputs--; /* optional inputs left out at the end */
  int result = fv_op_check_counts(node->op, (size_t)inputs, (size_t)node->output_count, d->err);
  for (int i = 0; result == 0 && i < node->op->min_inputs; i++)
    if (!node->inputs[i]) result = fv_error_set(d->err, FV_ERR_FORMAT, "input %d is missing", i);
  return result;
}

static int claim_outputs(Decoder *d, FvNode *node) {
  for (int i = 0; i < node->output_count; i++) {
    FvValue *value = node->outputs[i];
    if (!value) continue;
    if (value->producer || value->constant || value->is_input) return fv_error_set(d->err, FV_ERR_FORMAT, "output '%.128s' is defined twice", value->name);
    value->producer = node;
  }
  return 0;
}

/* A copy of the places read so far: they come before the number of outputs, which a node must know when it is made. */
typedef struct Places {
  FvValue *values[FV_MAX_NODE_IO];
  int count;
} Places;

static int make_node(Decoder *d, const Operator *operator, const char *name, const Places *inputs, const Places *outputs, FvNode **ret_node) {
  FvNode *node = fv_graph_add_node(d->graph, operator->op, name, operator->opset, inputs->count, outputs->count);
  if (!node) return no_memory(d);
  memcpy(node->inputs, inputs->values, sizeof *node->inputs * (size_t)inputs->count);
  memcpy(node->outputs, outputs->values, sizeof *node->outputs * (size_t)outputs->count);
  *ret_node = node;
  return 0;
}

static int read_node(Decoder *d, Places *inputs, Places *outputs) {
  uint32_t index = fv_read_index(&d->reader, d->operator_count);
  const char *name = read_text(d);
  inputs->count = (int)fv_read_count(&d->reader, FV_MAX_NODE_IO);
  read_places(d, inputs->values, inputs->count);
  outputs->count = (int)fv_read_count(&d->reader, FV_MAX_NODE_IO);
  read_places(d, outputs->values, outputs->count);
  if (d->reader.failed) return malformed(d, "nodes");
  FvNode *node = NULL;
  int result = fv_name_check(name, "operator", d->err);
  if (result == 0) result = make_node(d, &d->operators[index], name, inputs, outputs, &node);
  if (result < 0) return result;
  result = read_attributes(d, node);
  if (result == 0) result = check_inputs(d, node);
  if (result == 0) result = claim_outputs(d, node);
  if (result < 0) fv_error_prefix(d->err, "node '%.128s' (%s)", fv_node_label(node), node->op->name);
  return result;
}

static int read_nodes(Decoder *d) {
  d->mentioned = d->graph->input_count;
  Places inputs, outputs;
  uint32_t count = fv_read_count(&d->reader, FV_MAX_NODES);
  int result = d->reader.failed || count == 0 ? malformed(d, "nodes") : 0;
  for (uint32_t i = 0; result == 0 && i < count; i++) result = read_node(d, &inputs, &outputs);
  d->file->node_count = (int)count;
  return result;
}

static int read_ends(Decoder *d, bool input) {
  const char *what = input ? "inputs" : "outputs";
  uint32_t count = fv_read_count(&d->reader, FV_MAX_NODE_IO);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t index = fv_read_index(&d->reader, (uint32_t)d->graph->value_count);
    if (d->reader.failed) break;
    FvValue *value = d->graph->values[index];
    for (uint32_t k = 0; k < i; k++)
      if ((input ? d->graph->inputs : d->graph->outputs)[k] == value) return fv_error_set(d->err, FV_ERR_FORMAT, "'%.128s' is listed twice among the %s", value->name, what);
    if (input && !value->is_input) return malformed(d, what);
    if (!(input ? fv_graph_add_input : fv_graph_add_output)(d->graph, value)) return no_memory(d);
  }
  return d->reader.failed || (!input && count == 0) ? malformed(d, what) : 0;
}

/* A value that nobody gives, nor computes, nor holds, can be neither a node's input nor an output. */
static int check_origins(Decoder *d) {
  int listed = 0;
  for (int i = 0; i < d->graph->value_count; i++) {
    const FvValue *value = d->graph->values[i];
    listed += value->is_input;
    if (!value->is_input && !value->constant && !value->producer)
      return fv_error_set(d->err, FV_ERR_FORMAT, "value '%.128s' is neither an input nor a constant nor any operator's output", value->name);
  }
  if (listed != d->graph->input_count) return malformed(d, "inputs");
  return d->reader.at == d->reader.end ? 0 : malformed(d, "end");
}

static int decode(Decoder *d, FvWeightBytes weights) {
  int result = read_texts(d);
  if (result == 0) result = read_head(d);
  if (result == 0) result = read_operators(d);
  if (result == 0) result = fv_weights_open(&d->weights, weights, &d->reader, d->err);
  if (result == 0) result = read_values(d);
  if (result == 0) result = read_ends(d, true);
  if (result == 0) result = read_nodes(d);
  if (result == 0) result = read_ends(d, false);
  if (result == 0) result = check_origins(d);
  if (result == 0) result = fv_graph_sort(d->graph, d->err);
  if (result == 0) result = fv_weights_decode(&d->weights, d->err);
  if (result == 0 && !fv_weights_describe(&d->weights, d->file)) result = no_memory(d);
  return result;
}

int fv_graph_decode(const void *graph_bytes, size_t graph_size, FvWeightBytes weights, FvModelFile *file, bool *borrows, FvError *err) {
  FvModelFile found = {.graph = fv_graph_create()};
  const uint8_t *at = graph_size ? graph_bytes : (const uint8_t *)"";
  Decoder d = {.reader = {.at = at, .end = at + graph_size}, .graph = found.graph, .file = &found, .err = err};
  if (!found.graph) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  fv_names_init(&d.names);
  int result = decode(&d, weights);
  fv_names_finish(&d.names);
  if (result == 0) {
    *file = found;
    if (borrows) *borrows = d.weights.borrows;
  } else {
    if (err) fv_text_clean(err->message); /* names from the file, which end up on terminals */
    fv_graph_destroy(&found.graph);
  }
  fv_weights_finish(&d.weights);
  return result;
}

#include "import/onnx_internal.h"

#include <string.h>

#include "base/text.h"

/* The message is unpacked into the graph's arena, so that weights need no second copy. Small messages grow when unpacked (an empty node
 * takes 2 bytes in the file and some hundred here), hence a bound: twice the file for the weights, and room for the structure of the
 * largest graph that is allowed. */
typedef struct Budget {
  FvArena *arena;
  size_t left;
  bool exhausted;
} Budget;

enum { STRUCTURE_BYTES = 512 << 20, SMALL = 256 };

static void *budget_alloc(void *data, size_t size) {
  Budget *budget = data;
  size_t cost = size < SMALL ? SMALL : size;
  budget->exhausted |= cost > budget->left;
  if (budget->exhausted) return NULL;
  budget->left -= cost;
  return size < SMALL ? fv_arena_object(budget->arena, size) : fv_arena_alloc(budget->arena, size); /* large: may be borrowed as a tensor's elements */
}

static void budget_free(void *data, void *pointer) {
  (void)data;
  (void)pointer;
}

/* Almost any short file unpacks as an empty message. */
static int check_header(const Onnx__ModelProto *proto, FvError *err) {
  if (!proto->graph) return fv_error_set(err, FV_ERR_FORMAT, "no graph inside; is this an ONNX model?");
  if (proto->graph->n_node == 0) return fv_error_set(err, FV_ERR_FORMAT, "the graph has no operators; is this an ONNX model?");
  return 0;
}

static const void *unpack(FvGraph *graph, const ProtobufCMessageDescriptor *type, const void *data, size_t size, FvError *err) {
  Budget budget = {&graph->arena, size * 2 + STRUCTURE_BYTES, false};
  ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
  const ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, data);
  if (message) return message;
  if (budget.exhausted)
    fv_error_set(err, FV_ERR_LIMIT, "the file unpacks to more than %zu MiB of structure", (size * 2 + STRUCTURE_BYTES) >> 20);
  else
    fv_error_set(err, FV_ERR_FORMAT, "not an ONNX file, or truncated or damaged");
  return NULL;
}

static const char *text_or_empty(const char *text) { return text ? text : ""; }

static int read_opset(const Onnx__ModelProto *proto, int *opset, FvError *err) {
  *opset = 1; /* files from before opset_import existed */
  for (size_t i = 0; i < proto->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *entry = proto->opset_import[i];
    const char *domain = text_or_empty(entry->domain);
    if (entry->version < 1 || entry->version > INT32_MAX)
      return fv_error_set(err, FV_ERR_FORMAT, "operator set '%.64s' has the impossible version %lld", domain, (long long)entry->version);
    if (*domain && strcmp(domain, "ai.onnx") != 0) continue;
    if (entry->version > FV_ONNX_MAX_OPSET)
      return fv_error_set(err, FV_ERR_UNSUPPORTED, "opset %lld is newer than the %d that is supported: export the model again with opset %d or lower",
                          (long long)entry->version, FV_ONNX_MAX_OPSET, FV_ONNX_MAX_OPSET);
    *opset = (int)entry->version;
  }
  return 0;
}

static int read_metadata(FvImporter *in, FvModelFile *model) {
  size_t count = in->proto->n_metadata_props;
  if (count > FV_ONNX_MAX_METADATA)
    return fv_error_set(in->err, FV_ERR_LIMIT, "%zu metadata entries, more than the %d allowed", count, FV_ONNX_MAX_METADATA);
  model->metadata = fv_arena_array(&in->graph->arena, count, sizeof *model->metadata);
  if (!model->metadata) return fv_onnx_no_memory(in);
  for (size_t i = 0; i < count; i++) {
    const Onnx__StringStringEntryProto *entry = in->proto->metadata_props[i];
    model->metadata[i] = (FvModelPair){text_or_empty(entry->key), text_or_empty(entry->value)};
  }
  model->metadata_count = (int)count;
  const char *name = text_or_empty(in->proto->producer_name), *version = text_or_empty(in->proto->producer_version);
  model->producer = fv_arena_printf(&in->graph->arena, "%.128s%s%.128s", name, *name && *version ? " " : "", version);
  if (!model->producer) return fv_onnx_no_memory(in);
  fv_text_clean(model->producer);
  return 0;
}

static int read_model(FvImporter *in, FvModelFile *model) {
  int result = check_header(in->proto, in->err);
  if (result == 0) result = read_opset(in->proto, &model->opset, in->err);
  if (result == 0) result = read_metadata(in, model);
  if (result == 0) result = fv_onnx_read_graph(in, in->proto->graph);
  if (result == 0) result = fv_graph_sort(in->graph, in->err);
  return result;
}

int fv_onnx_read(const void *data, size_t size, const char *directory, FvModelFile *model, FvError *err) {
  if (size > FV_MAX_MODEL_BYTES)
    return fv_error_set(err, FV_ERR_LIMIT, "%zu bytes, more than the %lld allowed", size, (long long)FV_MAX_MODEL_BYTES);
  FvImporter in = {.graph = fv_graph_create(), .directory = directory, .err = err};
  FvModelFile found = {.graph = in.graph};
  if (!in.graph) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  fv_names_init(&in.names);
  FvError local;
  if (!err) in.err = &local;
  in.proto = unpack(in.graph, &onnx__model_proto__descriptor, data, size, in.err);
  int result = in.proto ? read_model(&in, &found) : in.err->code;
  fv_names_finish(&in.names);
  if (result < 0) {
    if (err) fv_text_clean(err->message); /* names from the file, which end up on terminals */
    fv_graph_destroy(&in.graph);
    return result;
  }
  found.node_count = (int)in.proto->graph->n_node;
  found.parameters = in.parameters;
  *model = found;
  return 0;
}

int fv_onnx_read_value(const void *data, size_t size, FvGraph *graph, FvTensor *tensor, FvError *err) {
  FvImporter in = {.graph = graph, .err = err};
  const Onnx__TensorProto *proto = unpack(graph, &onnx__tensor_proto__descriptor, data, size, err);
  return proto ? fv_onnx_read_tensor(&in, proto, "the tensor", tensor) : FV_ERR_FORMAT;
}

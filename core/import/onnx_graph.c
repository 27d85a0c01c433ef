#include <stdio.h>
#include <string.h>

#include "import/onnx_internal.h"
#include "ir/op.h"

/* A value that must not exist yet. */
static int define(FvImporter *in, const char *name, const char *what, FvValue **value) {
  int result = fv_name_check(name, what, in->err);
  if (result < 0) return result;
  if (fv_names_find(&in->names, name)) return fv_error_set(in->err, FV_ERR_FORMAT, "%s '%.128s' is defined twice", what, name);
  *value = fv_graph_add_value(in->graph, name);
  if (!*value)
    return in->graph->value_count >= FV_MAX_VALUES ? fv_error_set(in->err, FV_ERR_LIMIT, "more than %d tensors", FV_MAX_VALUES)
                                                   : fv_onnx_no_memory(in);
  return fv_names_add(&in->names, *value) ? 0 : fv_onnx_no_memory(in);
}

static int read_initialiser(FvImporter *in, const Onnx__TensorProto *proto) {
  char where[128];
  FvValue *value;
  FvTensor tensor;
  if (!proto->name || !*proto->name) return fv_error_set(in->err, FV_ERR_FORMAT, "an initialiser has no name");
  snprintf(where, sizeof where, "initialiser '%.96s'", proto->name);
  int result = define(in, proto->name, "initialiser", &value);
  if (result == 0) result = fv_onnx_read_tensor(in, proto, where, &tensor);
  if (result < 0) return result;
  FvTensor *constant = fv_arena_object(&in->graph->arena, sizeof *constant);
  if (!constant) return fv_onnx_no_memory(in);
  *constant = tensor;
  value->constant = constant;
  value->dtype = tensor.dtype;
  value->rank = tensor.rank;
  memcpy(value->dims, tensor.dims, sizeof value->dims);
  in->parameters += fv_tensor_count(&tensor);
  return 0;
}

static int read_dims(FvImporter *in, const char *name, const Onnx__TensorShapeProto *shape, FvValue *value) {
  if (!shape) return 0; /* rank stays -1: --input-shape may give it */
  if (shape->n_dim > FV_MAX_RANK)
    return fv_error_set(in->err, FV_ERR_LIMIT, "input '%s' has %zu dimensions; the limit is %d", name, shape->n_dim, FV_MAX_RANK);
  value->rank = (int)shape->n_dim;
  int64_t count = 1;
  for (int d = 0; d < value->rank; d++) {
    const Onnx__DimensionProto *dim = shape->dim[d];
    value->dims[d] = dim->has_dim_value && dim->dim_value >= 0 ? dim->dim_value : -1;
    int64_t factor = value->dims[d] < 0 ? 1 : value->dims[d];
    if (factor > FV_MAX_DIM || __builtin_mul_overflow(count, factor, &count) || count > FV_MAX_ELEMENTS)
      return fv_error_set(in->err, FV_ERR_LIMIT, "input '%s' has more than %lld elements", name, (long long)FV_MAX_ELEMENTS);
  }
  return 0;
}

static int read_input(FvImporter *in, const Onnx__ValueInfoProto *proto) {
  FvValue *value;
  if (!proto->name || !*proto->name) return fv_error_set(in->err, FV_ERR_FORMAT, "a graph input has no name");
  const FvValue *known = fv_names_find(&in->names, proto->name);
  if (known && known->constant) return 0; /* IR versions before 4 list initialisers among the inputs */
  int result = define(in, proto->name, "graph input", &value);
  if (result < 0) return result;
  const Onnx__TensorTypeProto *type = proto->type ? proto->type->tensor_type : NULL;
  if (!type) return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "input '%s' is not a tensor", value->name);
  value->dtype = fv_onnx_dtype(type->elem_type);
  if (value->dtype == FV_DTYPE_NONE)
    return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "input '%s' has elements of type %s, which is not supported", value->name,
                        fv_onnx_dtype_name(type->elem_type));
  result = read_dims(in, value->name, type->shape, value);
  if (result == 0 && !fv_graph_add_input(in->graph, value)) result = fv_onnx_no_memory(in);
  return result;
}

static int opset_of(const FvImporter *in, const char *domain) {
  bool is_default = !*domain || strcmp(domain, "ai.onnx") == 0;
  for (size_t i = 0; i < in->proto->n_opset_import; i++) {
    const char *entry = in->proto->opset_import[i]->domain;
    bool entry_default = !entry || !*entry || strcmp(entry, "ai.onnx") == 0;
    if (is_default ? entry_default : entry && strcmp(entry, domain) == 0) return (int)in->proto->opset_import[i]->version;
  }
  return 1;
}

static int check_arity(FvImporter *in, const FvOp *op, const Onnx__NodeProto *proto) {
  size_t inputs = proto->n_input;
  while (inputs && !*proto->input[inputs - 1]) inputs--; /* optional inputs left out at the end */
  int result = fv_op_check_counts(op, inputs, proto->n_output, in->err);
  if (result < 0) return result;
  for (int i = 0; i < op->min_inputs; i++)
    if (!*proto->input[i]) return fv_error_set(in->err, FV_ERR_FORMAT, "input %d is missing", i);
  return 0;
}

static int define_outputs(FvImporter *in, const Onnx__NodeProto *proto, FvNode *node) {
  for (int i = 0; i < node->output_count; i++) {
    if (!*proto->output[i]) continue;
    int result = define(in, proto->output[i], "output", &node->outputs[i]);
    if (result < 0) return result;
    node->outputs[i]->producer = node;
  }
  return 0;
}

static int add_node(FvImporter *in, const FvOp *op, int opset, const Onnx__NodeProto *proto, FvNode **node) {
  int result = check_arity(in, op, proto);
  if (result == 0) result = fv_name_check(proto->name ? proto->name : "", "operator", in->err);
  if (result < 0) return result;
  *node = fv_graph_add_node(in->graph, op, proto->name, opset, (int)proto->n_input, (int)proto->n_output);
  if (!*node) return fv_onnx_no_memory(in);
  result = fv_onnx_read_attributes(in, proto, *node);
  return result < 0 ? result : define_outputs(in, proto, *node);
}

/* What to call a node that may not have become one yet. */
static const char *label(const Onnx__NodeProto *proto) {
  if (proto->name && *proto->name) return proto->name;
  for (size_t i = 0; i < proto->n_output; i++)
    if (*proto->output[i]) return proto->output[i];
  return "";
}

static int read_node(FvImporter *in, const Onnx__NodeProto *proto, FvNode **node) {
  const char *type = proto->op_type ? proto->op_type : "", *domain = proto->domain ? proto->domain : "";
  int opset = opset_of(in, domain);
  const FvOp *op = fv_op_find(domain, type);
  if (!op)
    return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "node '%.128s': operator %.64s (domain %.64s, opset %d) is not supported", label(proto),
                        type, *domain ? domain : "ai.onnx", opset);
  int result = add_node(in, op, opset, proto, node);
  if (result < 0) fv_error_prefix(in->err, "node '%.128s' (%s)", label(proto), op->name);
  return result;
}

/* Names are resolved when all values are known: files need not be in order. */
static int connect(FvImporter *in, const Onnx__NodeProto *proto, FvNode *node) {
  for (int i = 0; i < node->input_count; i++) {
    if (!*proto->input[i]) continue;
    node->inputs[i] = fv_names_find(&in->names, proto->input[i]);
    if (!node->inputs[i])
      return fv_error_set(in->err, FV_ERR_FORMAT, "node '%.128s' (%s): input '%.128s' is neither a graph input, an initialiser nor any operator's output",
                          fv_node_label(node), node->op->name, proto->input[i]);
  }
  return 0;
}

static int read_nodes(FvImporter *in, const Onnx__GraphProto *proto) {
  if (proto->n_node > FV_MAX_NODES)
    return fv_error_set(in->err, FV_ERR_LIMIT, "%zu operators, more than the %d allowed", proto->n_node, FV_MAX_NODES);
  int result = 0;
  for (size_t i = 0; result == 0 && i < proto->n_node; i++) {
    FvNode *node;
    result = read_node(in, proto->node[i], &node);
  }
  for (size_t i = 0; result == 0 && i < proto->n_node; i++) result = connect(in, proto->node[i], in->graph->nodes[i]);
  return result;
}

static int read_output(FvImporter *in, const Onnx__ValueInfoProto *proto) {
  FvValue *value = proto->name ? fv_names_find(&in->names, proto->name) : NULL;
  if (!value)
    return fv_error_set(in->err, FV_ERR_FORMAT, "graph output '%.128s' is not produced by any operator", proto->name ? proto->name : "");
  if (value->is_output) return fv_error_set(in->err, FV_ERR_FORMAT, "graph output '%s' is listed twice", value->name);
  return fv_graph_add_output(in->graph, value) ? 0 : fv_onnx_no_memory(in);
}

int fv_onnx_read_graph(FvImporter *in, const Onnx__GraphProto *proto) {
  if (proto->n_sparse_initializer) return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "sparse initialisers are not supported");
  if (proto->n_initializer > FV_MAX_VALUES)
    return fv_error_set(in->err, FV_ERR_LIMIT, "%zu initialisers, more than the %d allowed", proto->n_initializer, FV_MAX_VALUES);
  if (proto->n_input > FV_MAX_VALUES || proto->n_output > FV_MAX_NODE_IO)
    return fv_error_set(in->err, FV_ERR_LIMIT, "%zu graph inputs and %zu outputs are more than allowed", proto->n_input, proto->n_output);
  if (proto->n_output == 0) return fv_error_set(in->err, FV_ERR_FORMAT, "the graph has no outputs");
  int result = 0;
  for (size_t i = 0; result == 0 && i < proto->n_initializer; i++) result = read_initialiser(in, proto->initializer[i]);
  for (size_t i = 0; result == 0 && i < proto->n_input; i++) result = read_input(in, proto->input[i]);
  if (result == 0 && in->graph->input_count > FV_MAX_NODE_IO)
    result = fv_error_set(in->err, FV_ERR_LIMIT, "%d graph inputs, more than the %d allowed", in->graph->input_count, FV_MAX_NODE_IO);
  if (result == 0) result = read_nodes(in, proto);
  for (size_t i = 0; result == 0 && i < proto->n_output; i++) result = read_output(in, proto->output[i]);
  return result;
}

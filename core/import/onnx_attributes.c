#include <stdio.h>
#include <string.h>

#include "import/onnx_internal.h"

/* AttributeProto.AttributeType. */
enum {
  ONNX_ATTR_NONE = 0, ONNX_ATTR_FLOAT, ONNX_ATTR_INT, ONNX_ATTR_STRING, ONNX_ATTR_TENSOR, ONNX_ATTR_GRAPH, ONNX_ATTR_FLOATS, ONNX_ATTR_INTS,
  ONNX_ATTR_STRINGS, ONNX_ATTR_TENSORS, ONNX_ATTR_GRAPHS,
};

/* The first exporters wrote no type. */
static int kind_of(const Onnx__AttributeProto *proto) {
  if (proto->type != ONNX_ATTR_NONE) return proto->type;
  if (proto->has_f) return ONNX_ATTR_FLOAT;
  if (proto->has_i) return ONNX_ATTR_INT;
  if (proto->has_s) return ONNX_ATTR_STRING;
  if (proto->t) return ONNX_ATTR_TENSOR;
  if (proto->has_g || proto->n_graphs) return ONNX_ATTR_GRAPH;
  if (proto->n_floats) return ONNX_ATTR_FLOATS;
  if (proto->n_strings) return ONNX_ATTR_STRINGS;
  return ONNX_ATTR_INTS;
}

static const char *copy_string(FvImporter *in, ProtobufCBinaryData bytes) {
  return fv_arena_strndup(&in->graph->arena, bytes.len ? (const char *)bytes.data : "", bytes.len);
}

static int read_strings(FvImporter *in, const Onnx__AttributeProto *proto, FvAttr *attr) {
  const char **strings = fv_arena_array(&in->graph->arena, proto->n_strings + 1, sizeof *strings);
  if (!strings) return fv_onnx_no_memory(in);
  for (size_t i = 0; i < proto->n_strings; i++)
    if (!(strings[i] = copy_string(in, proto->strings[i]))) return fv_onnx_no_memory(in);
  attr->kind = FV_ATTR_STRINGS;
  attr->count = (int)proto->n_strings;
  attr->strings = strings;
  return 0;
}

static int read_tensor(FvImporter *in, const Onnx__AttributeProto *proto, FvAttr *attr) {
  char where[96];
  snprintf(where, sizeof where, "the tensor of attribute '%.64s'", attr->name);
  FvTensor *tensor = fv_arena_object(&in->graph->arena, sizeof *tensor);
  if (!tensor) return fv_onnx_no_memory(in);
  if (!proto->t) return fv_error_set(in->err, FV_ERR_FORMAT, "%s is missing", where);
  attr->kind = FV_ATTR_TENSOR;
  attr->tensor = tensor;
  return fv_onnx_read_tensor(in, proto->t, where, tensor);
}

static int read_attribute(FvImporter *in, const Onnx__AttributeProto *proto, FvAttr *attr) {
  switch (kind_of(proto)) {
    case ONNX_ATTR_FLOAT:
      attr->kind = FV_ATTR_FLOAT;
      attr->f = proto->f;
      return 0;
    case ONNX_ATTR_INT:
      attr->kind = FV_ATTR_INT;
      attr->i = proto->i;
      return 0;
    case ONNX_ATTR_STRING:
      attr->kind = FV_ATTR_STRING;
      attr->s = copy_string(in, proto->s);
      return attr->s ? 0 : fv_onnx_no_memory(in);
    case ONNX_ATTR_FLOATS:
      attr->kind = FV_ATTR_FLOATS;
      attr->count = (int)proto->n_floats;
      attr->floats = proto->floats;
      return 0;
    case ONNX_ATTR_INTS:
      attr->kind = FV_ATTR_INTS;
      attr->count = (int)proto->n_ints;
      attr->ints = proto->ints;
      return 0;
    case ONNX_ATTR_STRINGS: return read_strings(in, proto, attr);
    case ONNX_ATTR_TENSOR: return read_tensor(in, proto, attr);
    case ONNX_ATTR_GRAPH:
    case ONNX_ATTR_GRAPHS:
      return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "attribute '%.64s' holds a sub-graph, which is not supported", attr->name);
    default:
      return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "attribute '%.64s' is of a kind (%d) that is not supported", attr->name, proto->type);
  }
}

static int check_name(FvImporter *in, const Onnx__AttributeProto *proto, const FvAttr *before, int count) {
  if (proto->ref_attr_name && *proto->ref_attr_name)
    return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "attribute '%.64s' refers to a function's, which is not supported", proto->name);
  for (int i = 0; i < count; i++)
    if (strcmp(before[i].name, proto->name) == 0)
      return fv_error_set(in->err, FV_ERR_FORMAT, "attribute '%.64s' is given twice", proto->name);
  return 0;
}

int fv_onnx_read_attributes(FvImporter *in, const Onnx__NodeProto *proto, FvNode *node) {
  if (proto->n_attribute > FV_ONNX_MAX_ATTRIBUTES)
    return fv_error_set(in->err, FV_ERR_LIMIT, "%zu attributes, more than the %d allowed", proto->n_attribute, FV_ONNX_MAX_ATTRIBUTES);
  FvAttr *attrs = fv_arena_array(&in->graph->arena, proto->n_attribute, sizeof *attrs);
  if (!attrs) return fv_onnx_no_memory(in);
  for (size_t i = 0; i < proto->n_attribute; i++) {
    const Onnx__AttributeProto *attribute = proto->attribute[i];
    if (!attribute->name || !*attribute->name) return fv_error_set(in->err, FV_ERR_FORMAT, "an attribute has no name");
    int result = check_name(in, attribute, attrs, (int)i);
    attrs[i].name = attribute->name;
    if (result == 0) result = read_attribute(in, attribute, &attrs[i]);
    if (result < 0) return result;
  }
  node->attrs = attrs;
  node->attr_count = (int)proto->n_attribute;
  return 0;
}

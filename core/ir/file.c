#include "ir/file.h"

#include <string.h>

#include "base/text.h"
#include "ir/op.h"

int fv_op_check_counts(const FvOp *op, size_t inputs, size_t outputs, FvError *err) {
  int max_inputs = op->max_inputs < 0 ? FV_MAX_NODE_IO : op->max_inputs, max_outputs = op->max_outputs < 0 ? FV_MAX_NODE_IO : op->max_outputs;
  if (inputs > (size_t)max_inputs || inputs < (size_t)op->min_inputs)
    return fv_error_set(err, FV_ERR_FORMAT, "%zu inputs where %d to %d are possible", inputs, op->min_inputs, max_inputs);
  if (outputs > (size_t)max_outputs || outputs < (size_t)op->min_outputs)
    return fv_error_set(err, FV_ERR_FORMAT, "%zu outputs where %d to %d are possible", outputs, op->min_outputs, max_outputs);
  return 0;
}

int fv_name_check(const char *name, const char *what, FvError *err) {
  size_t length = strlen(name);
  if (length > FV_MAX_NAME) return fv_error_set(err, FV_ERR_LIMIT, "the name of %s '%.64s…' is longer than %d bytes", what, name, FV_MAX_NAME);
  if (!fv_text_is_clean(name))
    return fv_error_set(err, FV_ERR_FORMAT, "the name of %s '%.64s' has control characters or is not UTF-8", what, name);
  return 0;
}

#include <glib.h>
#include <string.h>

#include <fovea/error.h>

static void test_set(void) {
  FvError err = {0};
  g_assert_cmpint(fv_error_set(&err, FV_ERR_FORMAT, "%s: %d", "here", 3), ==, FV_ERR_FORMAT);
  g_assert_cmpint(err.code, ==, FV_ERR_FORMAT);
  g_assert_cmpstr(err.message, ==, "here: 3");
  g_assert_cmpint(fv_error_set(NULL, FV_ERR_IO, "nobody listens"), ==, FV_ERR_IO);
}

static void test_prefix(void) {
  FvError err = {0};
  fv_error_set(&err, FV_ERR_LIMIT, "too large");
  g_assert_cmpint(fv_error_prefix(&err, "node '%s'", "a"), ==, FV_ERR_LIMIT);
  g_assert_cmpint(fv_error_prefix(&err, "model.onnx"), ==, FV_ERR_LIMIT);
  g_assert_cmpstr(err.message, ==, "model.onnx: node 'a': too large");
  g_assert_cmpint(fv_error_prefix(NULL, "nobody listens"), ==, FV_ERR_INVALID);
}

/* However long the parts are, the sentence ends inside its array. */
static void test_long(void) {
  char *longest = g_strnfill(2 * FV_ERROR_MESSAGE_SIZE, 'x');
  for (size_t length = FV_ERROR_MESSAGE_SIZE - 8; length < FV_ERROR_MESSAGE_SIZE + 8; length++) {
    struct {
      FvError err;
      char guard[16];
    } place = {.guard = "guard"};
    fv_error_set(&place.err, FV_ERR_IO, "%.*s", (int)length, longest);
    g_assert_cmpuint(strlen(place.err.message), ==, MIN(length, FV_ERROR_MESSAGE_SIZE - 1));
    fv_error_prefix(&place.err, "%.*s", (int)length, longest);
    g_assert_cmpuint(strlen(place.err.message), ==, FV_ERROR_MESSAGE_SIZE - 1);
    g_assert_cmpstr(place.guard, ==, "guard");
  }
  g_free(longest);
}

static void test_names(void) {
  for (int code = FV_ERR_CONFIG; code <= FV_OK; code++) g_assert_cmpstr(fv_error_code_name(code), !=, "unknown");
  g_assert_cmpstr(fv_error_code_name((FvErrorCode)-1000), ==, "unknown");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/error/set", test_set);
  g_test_add_func("/error/prefix", test_prefix);
  g_test_add_func("/error/long-sentences-are-cut", test_long);
  g_test_add_func("/error/every-code-has-a-name", test_names);
  return g_test_run();
}

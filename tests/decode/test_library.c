/* Without libavcodec the element is there and says what is missing. The process starts itself with a library path where an empty file has the library's name. */
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <libavcodec/version.h>
#include <string.h>

#define LIBRARY "libavcodec.so." G_STRINGIFY(LIBAVCODEC_VERSION_MAJOR)

static const gchar *own_path;

/* In the child: prints the error that starting the element gives, or "started". */
static int start_element(void) {
  GstElement *element = gst_element_factory_make("foveadecode", NULL);
  if (!element)
    return 1;
  g_autoptr(GstBus) bus = gst_bus_new();
  gst_element_set_bus(element, bus);
  gst_element_set_state(element, GST_STATE_READY);
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  g_autoptr(GError) error = NULL;
  g_autofree gchar *debug = NULL;
  if (message)
    gst_message_parse_error(message, &error, &debug);
  g_print("%s %s\n", message ? g_quark_to_string(error->domain) : "started", message ? debug : "");
  gst_element_set_state(element, GST_STATE_NULL);
  gst_object_unref(element);
  return 0;
}

static gchar *output_of_child(const gchar *library_path) {
  gchar *argv[] = {(gchar *)own_path, (gchar *)"--start-element", NULL}, *output = NULL;
  g_auto(GStrv) environment = g_get_environ();
  gint status = -1;
  g_autoptr(GError) error = NULL;
  if (library_path)
    environment = g_environ_setenv(environment, "LD_LIBRARY_PATH", library_path, TRUE);
  g_assert_true(g_spawn_sync(NULL, argv, environment, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL, &status, &error));
  g_assert_no_error(error);
  g_assert_cmpint(status, ==, 0);
  return output;
}

static void says_what_is_missing(void) {
  g_autofree gchar *folder = g_dir_make_tmp("fovea-decode-XXXXXX", NULL), *library = g_build_filename(folder, LIBRARY, NULL);
  g_assert_true(g_file_set_contents(library, "", 0, NULL));
  g_autofree gchar *output = output_of_child(folder);
  g_assert_true(g_str_has_prefix(output, "gst-library-error-quark "));
  g_assert_nonnull(strstr(output, LIBRARY ", which this build is for, cannot be opened"));
  g_unlink(library);
  g_rmdir(folder);
}

static void starts_with_it(void) {
  g_autofree gchar *output = output_of_child(NULL);
  g_assert_true(g_str_has_prefix(output, "started"));
}

int main(int argc, char **argv) {
  own_path = argv[0];
  gst_init(&argc, &argv);
  if (argc > 1 && g_str_equal(argv[1], "--start-element"))
    return start_element();
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/decode/library/missing", says_what_is_missing);
  g_test_add_func("/decode/library/there", starts_with_it);
  return g_test_run();
}

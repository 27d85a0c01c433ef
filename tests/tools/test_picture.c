/* Picture files: what is written reads back, orientation on request, refusals. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "picture.h"

enum { WIDTH = 5, HEIGHT = 3 };

static char *folder;

static char *path_of(const char *name) { return g_build_filename(folder, name, NULL); }

static void fill(guint8 *pixels) {
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++) pixels[i] = (guint8)(i * 37 + 11);
}

static void test_lossless_round_trip(void) {
  static const char *const names[] = {"a.png", "b.PNG", "c.bmp"};
  for (size_t n = 0; n < G_N_ELEMENTS(names); n++) {
    g_autofree char *path = path_of(names[n]);
    guint8 pixels[WIDTH * HEIGHT * 3];
    FvFrame frame = {.format = FV_FORMAT_RGB, .width = WIDTH, .height = HEIGHT, .plane = {pixels}, .stride = {WIDTH * 3}};
    FvPicture picture;
    FvError err = {0};
    fill(pixels);
    g_assert_cmpint(fv_picture_write(path, &frame, &err), ==, 0);
    g_assert_cmpint(fv_picture_read(path, true, &picture, &err), ==, 0);
    FvFrame back = fv_picture_frame(&picture);
    g_assert_cmpint(fv_frame_check(&back, &err), ==, 0);
    g_assert_cmpint(back.width, ==, WIDTH);
    g_assert_cmpint(back.height, ==, HEIGHT);
    for (int y = 0; y < HEIGHT; y++) g_assert_cmpmem(back.plane[0] + y * back.stride[0], WIDTH * 3, pixels + y * WIDTH * 3, WIDTH * 3);
    fv_picture_release(&picture);
  }
}

/* A JPEG whose EXIF block says "turn by a quarter": orientation 6. */
static char *write_turned_jpeg(void) {
  static const guint8 exif[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0};
  guint8 pixels[WIDTH * HEIGHT * 3] = {0};
  FvFrame frame = {.format = FV_FORMAT_RGB, .width = WIDTH, .height = HEIGHT, .plane = {pixels}, .stride = {WIDTH * 3}};
  char *path = path_of("turned.jpg"), *plain = NULL;
  gsize size;
  g_assert_cmpint(fv_picture_write(path, &frame, NULL), ==, 0);
  g_assert_true(g_file_get_contents(path, &plain, &size, NULL));
  GByteArray *turned = g_byte_array_new();
  g_byte_array_append(turned, (const guint8 *)plain, 2); /* SOI */
  g_byte_array_append(turned, exif, sizeof exif);
  g_byte_array_append(turned, (const guint8 *)plain + 2, (guint)size - 2);
  g_assert_true(g_file_set_contents(path, (const char *)turned->data, turned->len, NULL));
  g_byte_array_unref(turned);
  g_free(plain);
  return path;
}

static void test_orientation_on_request(void) {
  g_autofree char *path = write_turned_jpeg();
  for (int upright = 0; upright < 2; upright++) {
    FvPicture picture;
    g_assert_cmpint(fv_picture_read(path, upright, &picture, NULL), ==, 0);
    FvFrame frame = fv_picture_frame(&picture);
    g_assert_cmpint(frame.width, ==, upright ? HEIGHT : WIDTH);
    g_assert_cmpint(frame.height, ==, upright ? WIDTH : HEIGHT);
    fv_picture_release(&picture);
  }
}

/* A PNG header that promises more than may be decoded. */
static void write_huge_png(const char *path) {
  static const guint8 png[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0xea, 0x60, 0, 0, 0, 1, 8, 2, 0, 0, 0, 0x23, 0x41, 0x4c, 0xb0};
  g_assert_true(g_file_set_contents(path, (const char *)png, sizeof png, NULL));
}

static void test_refusals(void) {
  g_autofree char *absent = path_of("absent.png"), *text = path_of("text.jpg"), *huge = path_of("huge.png"), *gif = path_of("out.gif");
  guint8 pixels[WIDTH * HEIGHT * 3] = {0};
  FvFrame frame = {.format = FV_FORMAT_RGB, .width = WIDTH, .height = HEIGHT, .plane = {pixels}, .stride = {WIDTH * 3}};
  FvPicture picture;
  FvError err;
  g_assert_true(g_file_set_contents(text, "no picture", -1, NULL));
  write_huge_png(huge);
  g_assert_cmpint(fv_picture_read(absent, false, &picture, &err), ==, FV_ERR_IO);
  g_assert_nonnull(strstr(err.message, "absent.png"));
  g_assert_cmpint(fv_picture_read(text, false, &picture, &err), ==, FV_ERR_FORMAT);
  g_assert_cmpint(fv_picture_read(huge, false, &picture, &err), <, 0);
  g_assert_cmpint(fv_picture_read(folder, false, &picture, &err), <, 0);
  g_assert_cmpint(fv_picture_write(gif, &frame, &err), ==, FV_ERR_INVALID);
  g_assert_false(fv_picture_can_write(gif));
  frame.format = FV_FORMAT_BGR;
  g_assert_cmpint(fv_picture_write(absent, &frame, &err), ==, FV_ERR_INVALID);
}

static void remove_folder(void) {
  GDir *dir = g_dir_open(folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *path = path_of(name);
    g_unlink(path);
  }
  g_dir_close(dir);
  g_rmdir(folder);
  g_free(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = g_dir_make_tmp("fovea-picture-XXXXXX", NULL);
  g_test_add_func("/tools/picture/lossless-round-trip", test_lossless_round_trip);
  g_test_add_func("/tools/picture/orientation-on-request", test_orientation_on_request);
  g_test_add_func("/tools/picture/refusals", test_refusals);
  int result = g_test_run();
  remove_folder();
  return result;
}

/* Pictures that the device converts are those that the host converts: all formats, sizes, strides and ways of resizing, on both load paths. */
#include <fcntl.h>
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "noise_picture.h"
#include "session/vulkan_internal.h"
#include "vulkan/device.h"

enum { WIDTH = 24, HEIGHT = 20, MAX_COUNT = WIDTH * HEIGHT * 3 };

/* A program that copies its input, so that the input can be looked at, and a runner of it. */
typedef struct Copier {
  FvVkDevice *device;
  FvVkProgram *program;
  FvVkRunner *runner;
  FvTensor tensor;
} Copier;

static void copier_init(Copier *c, const FvPreprocess *p, FvDtype dtype) {
  FvError err;
  int channels = p->channels == FV_CHANNELS_GRAY ? 1 : 3;
  c->tensor = (FvTensor){.dtype = dtype, .rank = 4, .dims = {1, channels, p->height, p->width}};
  if (p->channels_last) c->tensor.dims[1] = p->height, c->tensor.dims[2] = p->width, c->tensor.dims[3] = channels;
  fv_tensor_set_contiguous(&c->tensor);
  if (fv_vk_device_open(NULL, &c->device, &err) < 0) g_error("%s", err.message);
  FvNode node = {.op = fv_op_find("fovea", "Copy"), .name = "copy", .input_count = 1, .output_count = 1};
  FvVkOperand in = {.present = true, .tensor = c->tensor}, out = {.present = true, .tensor = c->tensor, .offset = MAX_COUNT * sizeof(float)};
  const FvTensor *tensors[] = {&c->tensor};
  FvVkStep step = {.node = &node, .kernel = fv_vk_select(c->device, &(FvKernelQuery){&node, tensors, tensors}), .in = &in, .out = &out};
  FvVkProgramParams params = {.steps = &step, .step_count = 1, .arena_bytes = 2 * MAX_COUNT * sizeof(float), .inputs = &in, .outputs = &out, .input_count = 1, .output_count = 1};
  g_assert_nonnull(step.kernel);
  if (fv_vk_program_create(c->device, &params, &c->program, &err) < 0 || fv_vk_runner_create(c->program, 1, false, &c->runner, &err) < 0) g_error("%s", err.message);
}

static void copier_finish(Copier *c) {
  fv_vk_runner_destroy(&c->runner);
  fv_vk_program_destroy(&c->program);
  fv_vk_device_close(&c->device);
}

static double element(const FvTensor *t, const void *data, int64_t i) {
  if (t->dtype == FV_DTYPE_F32) return ((const float *)data)[i];
  return t->dtype == FV_DTYPE_U8 ? ((const guint8 *)data)[i] : ((const gint8 *)data)[i] + 128;
}

/* How far apart the two may be: 1/255 before normalisation, though equal operations in equal order leave hardly any difference. */
static double allowed(const FvPreprocess *p, const FvTensor *t, int64_t i) {
  if (t->dtype != FV_DTYPE_F32) return 1;
  int64_t pixels = (int64_t)p->width * p->height, channels = p->channels == FV_CHANNELS_GRAY ? 1 : 3;
  return fabs(p->scale[p->channels_last ? i % channels : i / pixels]) * 2e-3;
}

static void check(Copier *c, const FvPreprocess *p, const FvFrame *frame) {
  FvError err;
  FvPreprocessor *pre = NULL;
  FvSampling sampling;
  static float memory[MAX_COUNT];
  FvTensor want = c->tensor;
  want.data = memory;
  if (fv_preprocessor_create(p, &pre, &err) < 0 || fv_preprocessor_run(pre, frame, &want, 1, NULL, &err) < 0 ||
      fv_preprocessor_sampling(pre, frame, &want, &sampling, NULL, &err) < 0)
    g_error("%s", err.message);
  FvVkPicture picture = fv_vulkan_picture(frame, p, &want, &sampling);
  if (fv_vk_runner_set_picture(c->runner, 0, &picture, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(fv_vk_runner_load_picture(c->runner, 0, frame, &err), >, 0);
  if (fv_vk_runner_submit(c->runner, 0, &err) < 0 || fv_vk_runner_wait(c->runner, 0, &err) < 0) g_error("%s", err.message);
  const void *got = fv_vk_runner_output(c->runner, 0, 0);
  for (int64_t i = 0; i < fv_tensor_count(&want); i++)
    if (!(fabs(element(&want, got, i) - element(&want, memory, i)) <= allowed(p, &want, i)))
      g_error("%s %dx%d, element %d: %g instead of %g", fv_format_name(frame->format), frame->width, frame->height, (int)i, element(&want, got, i), element(&want, memory, i));
  fv_preprocessor_destroy(&pre);
}

static const FvPreprocess plain = {.width = WIDTH, .height = HEIGHT, .scale = {1, 1, 1}};

static void check_formats(gsize every) {
  static const int sizes[][2] = {{48, 40}, {37, 29}, {1, 1}, {2, 3}, {1, 17}, {19, 1}, {7, 5}, {64, 720}, {24, 20}};
  Copier copier;
  copier_init(&copier, &plain, FV_DTYPE_F32);
  for (int format = 1; format < FV_FORMAT_COUNT; format++)
    for (gsize s = (gsize)format % every; s < G_N_ELEMENTS(sizes); s += every)
      for (int resize = FV_RESIZE_STRETCH; resize <= FV_RESIZE_CENTER_CROP; resize++) {
        Picture picture;
        FvPreprocess p = plain;
        p.resize = (FvResize)resize;
        p.pad_value = 114;
        picture_init(&picture, (FvPixelFormat)format, sizes[s][0], sizes[s][1], (int)(s % 3) * 5, s % 2);
        check(&copier, &p, &picture.frame);
        picture_finish(&picture);
      }
  copier_finish(&copier);
}

static void test_formats(void) { check_formats(1); }
static void test_some_formats(void) { check_formats(3); } /* other ways to the same shader */

static void test_colour(void) {
  Copier copier;
  copier_init(&copier, &plain, FV_DTYPE_F32);
  for (int matrix = FV_MATRIX_DEFAULT; matrix <= FV_MATRIX_BT2020; matrix++)
    for (int range = FV_RANGE_DEFAULT; range <= FV_RANGE_FULL; range++)
      for (int format = 1; format < FV_FORMAT_COUNT; format++) {
        Picture picture;
        picture_init(&picture, (FvPixelFormat)format, 30, 23, 0, FALSE);
        picture.frame.matrix = (FvColorMatrix)matrix;
        picture.frame.range = (FvColorRange)range;
        check(&copier, &plain, &picture.frame);
        picture_finish(&picture);
      }
  copier_finish(&copier);
}

/* Types of element, orders of channels, gray, channels last, and normalisation that differs from channel to channel. */
static void test_inputs(void) {
  static const FvDtype types[] = {FV_DTYPE_F32, FV_DTYPE_U8, FV_DTYPE_I8};
  static const FvPixelFormat formats[] = {FV_FORMAT_NV12, FV_FORMAT_RGB, FV_FORMAT_BGRX, FV_FORMAT_GRAY8};
  for (gsize i = 0; i < G_N_ELEMENTS(types) * 3 * 2; i++) {
    FvPreprocess p = {.width = 21, .height = 13, .resize = FV_RESIZE_LETTERBOX, .pad_value = 7, .mean = {103.53f, 116.28f, 123.675f},
                      .scale = {1 / 57.375f, 1 / 57.12f, 1 / 58.395f}};
    Copier copier;
    p.channels = (FvChannelOrder)(i / 3 % 3);
    p.channels_last = i / 9 % 2;
    copier_init(&copier, &p, types[i % 3]);
    for (gsize f = 0; f < G_N_ELEMENTS(formats); f++) {
      Picture picture;
      picture_init(&picture, formats[f], 33, 40, 3, FALSE);
      check(&copier, &p, &picture.frame);
      picture_finish(&picture);
    }
    copier_finish(&copier);
  }
}

/* The same kind again only loads; a plain run afterwards takes the input, not the picture. */
static void test_input_returns(void) {
  FvError err;
  Copier copier;
  Picture picture;
  copier_init(&copier, &plain, FV_DTYPE_F32);
  picture_init(&picture, FV_FORMAT_NV12, 40, 30, 0, FALSE);
  check(&copier, &plain, &picture.frame);
  float *input = fv_vk_runner_input(copier.runner, 0, 0);
  for (int i = 0; i < MAX_COUNT; i++) input[i] = (float)i;
  g_assert_cmpint(fv_vk_runner_submit(copier.runner, 0, &err), ==, 0);
  g_assert_cmpint(fv_vk_runner_wait(copier.runner, 0, &err), ==, 0);
  const float *output = fv_vk_runner_output(copier.runner, 0, 0);
  for (int i = 0; i < MAX_COUNT; i++) g_assert_cmpfloat(output[i], ==, (float)i);
  check(&copier, &plain, &picture.frame);
  picture_finish(&picture);
  copier_finish(&copier);
}

/* A kind of picture that is loaded again and again tries the ways of getting at its memory; the pixels are the same. */
static void test_many_of_a_kind(void) {
  FvError err;
  Copier copier;
  Picture picture;
  copier_init(&copier, &plain, FV_DTYPE_F32);
  picture_init(&picture, FV_FORMAT_I420, 301, 201, 3, FALSE);
  check(&copier, &plain, &picture.frame);
  g_autofree float *want = g_malloc(MAX_COUNT * sizeof *want);
  memcpy(want, fv_vk_runner_output(copier.runner, 0, 0), MAX_COUNT * sizeof *want);
  for (int i = 0; i < 30; i++) {
    memset(fv_vk_runner_output(copier.runner, 0, 0), 0, MAX_COUNT * sizeof *want);
    g_assert_cmpint(fv_vk_runner_load_picture(copier.runner, 0, &picture.frame, &err), >, 0);
    g_assert_cmpint(fv_vk_runner_submit(copier.runner, 0, &err), ==, 0);
    g_assert_cmpint(fv_vk_runner_wait(copier.runner, 0, &err), ==, 0);
    g_assert_cmpint(memcmp(want, fv_vk_runner_output(copier.runner, 0, 0), MAX_COUNT * sizeof *want), ==, 0);
  }
  picture_finish(&picture);
  copier_finish(&copier);
}

/* A descriptor that is no DMA buffer, or a device that imports none: an error that says to map, and the next picture comes through. */
static void test_dma_refused(void) {
  FvError err;
  Copier copier;
  Picture picture;
  copier_init(&copier, &plain, FV_DTYPE_F32);
  picture_init(&picture, FV_FORMAT_RGB, 30, 20, 0, FALSE);
  check(&copier, &plain, &picture.frame);
  FvFrame foreign = picture.frame;
  FvDmaPlanes planes = {.fd = {open("/dev/null", O_RDONLY)}};
  foreign.dma = &planes;
  g_assert_cmpint(fv_vk_runner_load_picture(copier.runner, 0, &foreign, &err), ==, FV_ERR_UNSUPPORTED);
  g_assert_nonnull(strstr(err.message, "import"));
  close(planes.fd[0]);
  check(&copier, &plain, &picture.frame);
  picture_finish(&picture);
  copier_finish(&copier);
}

static void under(const char *wishes, void (*test)(void)) {
  g_autofree char *before = g_strdup(g_getenv("FOVEA_VULKAN"));
  g_autofree char *all = g_strjoin(",", wishes, before, NULL);
  g_setenv("FOVEA_VULKAN", all, TRUE);
  test();
  if (before)
    g_setenv("FOVEA_VULKAN", before, TRUE);
  else
    g_unsetenv("FOVEA_VULKAN");
}
static void test_formats_texel(void) { under("texel", test_formats); }
static void test_formats_storage(void) { under("storage", test_formats); }
static void test_formats_staging(void) { under("texel,staging", test_some_formats); }
static void test_inputs_texel(void) { under("texel", test_inputs); }
static void test_inputs_storage(void) { under("storage,staging", test_inputs); }
static void test_input_returns_staging(void) { under("staging", test_input_returns); }
static void test_formats_import(void) { under("texel,import", test_some_formats); }
static void test_formats_import_staging(void) { under("storage,staging,import", test_some_formats); }
static void test_many_staging(void) { under("staging", test_many_of_a_kind); }
static void test_many_import(void) { under("import", test_many_of_a_kind); }
static void test_validation_is_silent(void) { g_assert_cmpint(fv_vk_validation_messages(), ==, 0); }

int main(int argc, char **argv) {
  g_autofree char *cache = g_dir_make_tmp("fovea-vulkan-XXXXXX", NULL);
  g_setenv("FOVEA_CACHE_DIR", cache, TRUE);
  g_test_init(&argc, &argv, NULL);
  if (!driver_found(NULL)) return 0;
  g_test_add_func("/vulkan/frames/formats-texel", test_formats_texel);
  g_test_add_func("/vulkan/frames/formats-storage", test_formats_storage);
  g_test_add_func("/vulkan/frames/formats-staging", test_formats_staging);
  g_test_add_func("/vulkan/frames/formats-import", test_formats_import);
  g_test_add_func("/vulkan/frames/formats-import-staging", test_formats_import_staging);
  g_test_add_func("/vulkan/frames/many-of-a-kind-staging", test_many_staging);
  g_test_add_func("/vulkan/frames/many-of-a-kind-import", test_many_import);
  g_test_add_func("/vulkan/frames/dma-buffers-that-cannot-be-imported", test_dma_refused);
  g_test_add_func("/vulkan/frames/colour", test_colour);
  g_test_add_func("/vulkan/frames/inputs-texel", test_inputs_texel);
  g_test_add_func("/vulkan/frames/inputs-storage", test_inputs_storage);
  g_test_add_func("/vulkan/frames/input-returns", test_input_returns);
  g_test_add_func("/vulkan/frames/input-returns-staging", test_input_returns_staging);
  g_test_add_func("/vulkan/frames/validation-is-silent", test_validation_is_silent);
  int result = g_test_run();
  g_autofree char *remove = g_strdup_printf("rm -rf '%s'", cache);
  return system(remove) == 0 ? result : 1;
}

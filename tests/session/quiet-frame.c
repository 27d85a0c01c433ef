/* A frame runs without an allocation and without a lock: both are counted by standing in front of the C library's functions. */
#include <dlfcn.h>
#include <fovea/fovea.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int allocations, locks;
static atomic_bool counting;

#if !defined(__SANITIZE_ADDRESS__)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  if (counting) allocations++;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  if (counting) allocations++;
  return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size) {
  if (counting) allocations++;
  return __libc_realloc(memory, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  if (counting) allocations++;
  return __libc_memalign(alignment, size);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
  static int (*real)(pthread_mutex_t *);
  if (!real) real = (int (*)(pthread_mutex_t *))(intptr_t)dlsym(RTLD_NEXT, "pthread_mutex_lock");
  if (counting) locks++;
  return real(mutex);
}
#endif

static uint8_t pixels[640 * 480 * 3 / 2];

static void test_quiet(const void *data) {
  const char *file = data;
  FvError err = {0};
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  FvDetection found[100];
  FvPlanParams params = fv_plan_params(.device = "cpu", .threads = 2);
  FvFrame frame = {.format = FV_FORMAT_NV12, .width = 640, .height = 480, .plane = {pixels, pixels + 640 * 480}, .stride = {640, 640}};
  g_autofree char *path = g_build_filename(g_getenv("FOVEA_SHARED_DIR"), "models", "onnx", file, NULL);
#if defined(__SANITIZE_ADDRESS__)
  g_test_skip("the sanitizer has the allocator");
  return;
#endif
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
    g_test_skip("the shared models are not there");
    return;
  }
  if (fv_model_open(path, NULL, &model, &err) < 0 || fv_plan_create(model, &params, &plan, &err) < 0 || fv_session_create(plan, &session, &err) < 0)
    g_error("%s", err.message);
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
  int count = fv_session_detect(session, &frame, NULL, found, 100, &err); /* the first frame of a size builds its tables */
  if (count < 0) g_error("%s", err.message);
  allocations = locks = 0;
  counting = true;
  for (int i = 0; i < 3 && count >= 0; i++) count = fv_session_detect(session, &frame, &(FvDetectParams){.threshold = 0.05f}, found, 100, &err);
  counting = false;
  g_assert_cmpint(count, >=, 0);
  g_assert_cmpint(allocations, ==, 0);
  g_assert_cmpint(locks, ==, 0);
  counting = true; /* and the counters do count */
  void *volatile probe = malloc(10);
  counting = false;
  free(probe);
  g_assert_cmpint(allocations, ==, 1);
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/session/quiet-frame/nanodet", "nanodet_m_320.onnx", test_quiet);
  g_test_add_data_func("/session/quiet-frame/yolo-fastestv2", "yolo-fastestv2.onnx", test_quiet);
  g_test_add_data_func("/session/quiet-frame/fastestdet", "FastestDet.onnx", test_quiet);
  g_test_add_data_func("/session/quiet-frame/rfb", "version-RFB-320.onnx", test_quiet);
  return g_test_run();
}

// expect: value\(\) of an lvalue copies the error.*write std::move\(result\)\.value\(\)
#include <memory>

#include <weir/expected.hpp>

void use(weir::expected<void, std::unique_ptr<int>>& result) { result.value(); }

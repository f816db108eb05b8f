# weir may add an include directory, C++20 and threads to a project, and nothing else.

foreach(property IN ITEMS COMPILE_OPTIONS COMPILE_DEFINITIONS LINK_OPTIONS)
    get_target_property(value weir::weir INTERFACE_${property})
    if(value)
        message(FATAL_ERROR "weir::weir gives its users ${property}: ${value}")
    endif()
    get_directory_property(value ${property})
    if(value)
        message(FATAL_ERROR "weir sets ${property} for the whole project: ${value}")
    endif()
endforeach()

foreach(variable IN ITEMS CMAKE_CXX_FLAGS CMAKE_BUILD_TYPE CMAKE_CXX_STANDARD
                          CMAKE_CXX_EXTENSIONS BUILD_TESTING)
    if(NOT "${${variable}}" STREQUAL "")
        message(FATAL_ERROR "weir sets ${variable} to ${${variable}}")
    endif()
endforeach()

foreach(part IN ITEMS TESTS EXAMPLES BENCHMARKS)
    if(WEIR_BUILD_${part})
        message(FATAL_ERROR "WEIR_BUILD_${part} is on where weir is not the top level")
    endif()
endforeach()
if(WEIR_INSTALL OR TARGET weir_dev_options)
    message(FATAL_ERROR "weir prepares its own development where it is not the top level")
endif()

target_compile_options(consumer PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)

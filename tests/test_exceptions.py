from airflow_provider_pinterest.exceptions import problems


def test_one_problem_stands_alone() -> None:
    assert problems("2 parameters are wrong:", ["batch_size must be 1 to 1000."]) == "batch_size must be 1 to 1000."


def test_several_problems_are_a_list_with_one_on_each_line() -> None:
    assert problems("2 parameters are wrong:", ["first.", "second."]) == "2 parameters are wrong:\n- first.\n- second."

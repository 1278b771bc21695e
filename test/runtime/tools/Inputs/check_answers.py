"""check_answers.py QUESTIONS ANSWERS: `moec-run generate --chats` has answered each line, in order."""
import json
import sys

questions = open(sys.argv[1]).read().splitlines()
answers = [json.loads(line) for line in open(sys.argv[2])]
assert [answer["message"] for answer in answers] == questions
assert all(answer["reasoning"] + answer["answer"] for answer in answers)
print(f"{len(answers)} answers, the first is the third: {answers[0] == answers[2]}")
